"""How CT and MR show tissues: brightness, resolution, noise."""
