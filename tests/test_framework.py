"""Which Keras a program has, and what is said where it cannot be the one that is needed."""

import os
import subprocess
import sys

import pytest


def run(program: str, **environment: str) -> subprocess.CompletedProcess:
    """Run a program as a user does, who has set nothing but what is said."""
    own = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env={**own, **environment}, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("first", "keras", "environment"),
    [
        ("import keras, mmzoo", "keras", {}),
        ("import mmzoo, deepreg", "tf_keras", {}),
        ("import mmzoo.deepreg; mmzoo.deepreg.activate()", "tf_keras", {}),
        ("import mmzoo", "tf_keras", {"TF_USE_LEGACY_KERAS": "1"}),
    ],
)
def test_the_models_are_of_the_keras_of_the_program(first, keras, environment):
    ended = run(
        f"{first}\nimport mmzoo\nmodel = mmzoo.models.dirnet((8, 8, 8))\n"
        f"import {keras}\nprint(isinstance(model, {keras}.Model))",
        MMZOO_AUTOLOAD="1",
        **environment,
    )
    assert ended.stdout == "True\n", ended.stderr[-2000:]


@pytest.mark.parametrize(
    ("program", "environment", "said"),
    [
        (
            "import mmzoo.deepreg.autoload; mmzoo.models; import deepreg",
            {},
            "DeepReg needs Keras 2 (tf-keras), but TensorFlow was imported before it and uses "
            "Keras 3",
        ),
        (
            "import mmzoo; mmzoo.losses",
            {"KERAS_BACKEND": "numpy"},
            "Keras 3 runs on numpy here: set KERAS_BACKEND=tensorflow before",
        ),
        (
            "import sys; sys.modules['tensorflow'] = None; import mmzoo; mmzoo.models",
            {},
            "pip install 'mmzoo[tensorflow]'",
        ),
    ],
)
def test_what_cannot_be_is_said_with_the_remedy(program, environment, said):
    ended = run(program, **environment)
    assert ended.returncode and said in ended.stderr.splitlines()[-1], ended.stderr[-2000:]
