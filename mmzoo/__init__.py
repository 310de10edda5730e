"""A model zoo of multi-modal medical image registration for TensorFlow/Keras and DeepReg.

This file imports nothing: it runs at the start of every Python program of an environment in which
mmzoo is installed (see `mmzoo.host.autoload`).
"""

__version__ = "0.1.0"
