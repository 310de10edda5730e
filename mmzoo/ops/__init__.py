"""Stateless tensor functions: volumes in, volumes out."""
