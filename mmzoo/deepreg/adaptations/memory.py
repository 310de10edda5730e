"""Adaptations of the GPU memory flag."""

from mmzoo.deepreg.adaptations.wrapping import wrapping

_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}


def read_flag_in_train(train_module) -> None:
    """Let `--gpu_allow_growth False` mean false in training.

    The option has no type, so it gets the text "False", which is true in Python.
    """

    @wrapping(train_module, "train")
    def train(original, gpu, config_path, gpu_allow_growth, *args, **kwargs):
        return original(gpu, config_path, _truth(gpu_allow_growth), *args, **kwargs)


def read_flag_in_predict(predict_module) -> None:
    """Let `--gpu_allow_growth` allow growth in prediction, and `False` mean false.

    `predict` sets TF_FORCE_GPU_ALLOW_GROWTH to the opposite of the flag, so it is given the
    opposite.
    """

    @wrapping(predict_module, "predict")
    def predict(original, gpu, gpu_allow_growth, *args, **kwargs):
        return original(gpu, not _truth(gpu_allow_growth), *args, **kwargs)


def _truth(flag) -> bool:
    """Convert a flag that may be text of the command line."""
    if isinstance(flag, str):
        if flag.lower() not in _WORDS:
            raise ValueError(f"`gpu_allow_growth` must be True or False, got {flag!r}.")
        return _WORDS[flag.lower()]
    return bool(flag)
