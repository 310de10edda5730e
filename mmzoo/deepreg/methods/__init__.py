"""Registration methods that DeepReg trains: `train.method` in a configuration."""

# DeepReg first: importing it registers the zoo's plugins, the methods of this room among them.
import deepreg  # noqa: F401
