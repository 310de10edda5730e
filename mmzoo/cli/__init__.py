"""mmzoo's own commands: one file a command; TensorFlow is imported late."""
