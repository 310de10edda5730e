"""Adaptations of the GPU memory flag."""

import functools

_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}


def read_flag_in_train(train_module) -> None:
    """Let `--gpu_allow_growth False` mean false in training.

    The option has no type, so the terminal hands the text "False" over, which is true.
    """
    original = train_module.train

    @functools.wraps(original)
    def train(gpu, config_path, gpu_allow_growth, *args, **kwargs):
        return original(gpu, config_path, _truth(gpu_allow_growth), *args, **kwargs)

    train_module.train = train


def read_flag_in_predict(predict_module) -> None:
    """Let `--gpu_allow_growth` allow growth in prediction, and `False` mean false.

    `predict` sets TF_FORCE_GPU_ALLOW_GROWTH to the opposite of the flag, so it is given the
    opposite.
    """
    original = predict_module.predict

    @functools.wraps(original)
    def predict(gpu, gpu_allow_growth, *args, **kwargs):
        return original(gpu, not _truth(gpu_allow_growth), *args, **kwargs)

    predict_module.predict = predict


def _truth(flag) -> bool:
    """Read a flag that may be a word from the terminal."""
    if isinstance(flag, str):
        if flag.lower() not in _WORDS:
            raise ValueError(f"`gpu_allow_growth` must be True or False, got {flag!r}.")
        return _WORDS[flag.lower()]
    return bool(flag)
