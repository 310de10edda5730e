"""Phantoms, preparation of real data, splits and geometry, all in DeepReg's folder layout."""
