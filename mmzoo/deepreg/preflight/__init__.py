"""Checks of configuration and data before any work starts."""
