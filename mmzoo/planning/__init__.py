"""What a training will cost, and whether the installation is sound."""
