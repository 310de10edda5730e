"""Figures of the zoo: papers, speed, GPU and registration, made again by commands."""
