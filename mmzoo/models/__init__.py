"""Registration models that DeepReg trains: `train.method` in a configuration."""

# DeepReg first: importing it registers the zoo's plugins, the models of this room among them.
import deepreg  # noqa: F401
