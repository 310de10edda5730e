"""Finished trainings put to use: load, predict, refine, export."""
