"""Digital phantoms: images, labels and true motion of anatomies that are made here."""
