"""How a body moves between two images, with the true displacement field."""
