import os

import pytest
from deepreg import predict, train


class ReachedError(Exception):
    """Raised in place of the work after the flag was read."""


@pytest.fixture
def growth(monkeypatch):
    """Run a command's function up to its configuration; return the variable that it has set."""

    def stop(*args, **kwargs):
        raise ReachedError

    monkeypatch.setattr(train, "build_config", stop)
    monkeypatch.setattr(predict, "build_config", stop)
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "unset")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    def run(module, flag):
        arguments = ["-g", "", "-c", "c.yaml"]
        arguments += [] if flag is None else ["-gr", flag]
        arguments += ["-k", "run/save/ckpt-1", "-m", "test"] if module is predict else []
        with pytest.raises(ReachedError):
            module.main(arguments)
        return os.environ["TF_FORCE_GPU_ALLOW_GROWTH"]

    return run


@pytest.mark.parametrize("module", [train, predict])
@pytest.mark.parametrize(
    ("flag", "expected"), [(None, "false"), ("True", "true"), ("False", "false"), ("1", "true")]
)
def test_memory_growth_means_what_it_says(growth, module, flag, expected):
    assert growth(module, flag) == expected


@pytest.mark.parametrize("module", [train, predict])
def test_another_word_is_refused(module):
    arguments = ["-g", "", "-c", "c.yaml", "-gr", "perhaps", "-k", "ckpt-1", "-m", "test"]
    kept = arguments if module is predict else arguments[:6]
    with pytest.raises(ValueError, match="`gpu_allow_growth` must be True or False, got 'perhaps'"):
        module.main(kept)
