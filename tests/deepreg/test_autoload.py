import importlib.util
import inspect
import os
import subprocess
import sys

import pytest

import mmzoo
from mmzoo import onednn
from mmzoo.deepreg import autoload

REPOSITORY = os.path.dirname(os.path.dirname(mmzoo.__file__))
# Where mmzoo is not installed the .pth is not there, so each program starts as it would start it.
START = "import mmzoo.deepreg.autoload\n"


def run(program: str, **environment) -> subprocess.CompletedProcess:
    """Run a program in a fresh interpreter that knows nothing of this one's settings."""
    dropped = ("TF_USE_LEGACY_KERAS", "MMZOO_AUTOLOAD", onednn.VARIABLE)
    own = {key: value for key, value in os.environ.items() if key not in dropped}
    own |= {"PYTHONPATH": REPOSITORY, **environment}
    command = [sys.executable, "-c", START + program]
    return subprocess.run(command, env=own, capture_output=True, text=True, check=False)


def test_any_program_that_imports_deepreg_knows_the_zoo():
    ended = run(
        "import deepreg\n"
        "from deepreg.registry import REGISTRY\n"
        "import tensorflow as tf\n"
        "from mmzoo.deepreg.plugins import PLUGINS\n"
        "print(all(REGISTRY.contains(row.category, row.name) for row in PLUGINS))\n"
        "print(tf.keras.Model.__module__.split('.')[0])\n"
    )
    assert ended.stdout.split() == ["True", "tf_keras"], ended.stderr


def test_autoload_can_be_turned_off_and_activated_from_within():
    ended = run(
        "import os; os.environ['TF_USE_LEGACY_KERAS'] = '1'\n"
        "from deepreg.registry import REGISTRY\n"
        "from deepreg.config import parser\n"
        "print(REGISTRY.contains('loss_class', 'segi'), hasattr(parser.collections, 'Mapping'))\n"
        "import mmzoo.deepreg; mmzoo.deepreg.activate()\n"
        "print(REGISTRY.contains('loss_class', 'segi'), hasattr(parser.collections, 'Mapping'))\n",
        MMZOO_AUTOLOAD="0",
    )
    assert ended.stdout.split() == ["False", "False", "True", "True"], ended.stderr


def test_tensorflow_with_keras_3_gets_a_message_that_says_what_to_do():
    ended = run("import tensorflow; tensorflow.keras.Model; import deepreg.train\n")
    assert ended.returncode == 1
    message = ended.stderr.splitlines()[-1]
    assert message.startswith("ImportError: DeepReg needs Keras 2 (tf-keras), but TensorFlow was")
    assert "set TF_USE_LEGACY_KERAS=1" in message
    assert "Import deepreg before tensorflow" in message


def test_tensorflow_imported_before_is_fine_while_it_has_not_touched_keras():
    ended = run("import tensorflow as tf, deepreg; print(tf.keras.Model.__module__)\n")
    assert ended.stdout.startswith("tf_keras"), ended.stderr


def test_a_zoo_model_may_be_imported_before_deepreg():
    ended = run(
        "from mmzoo.deepreg.methods.bidirectional_ddf import BidirectionalDDFModel as model\n"
        "from deepreg.registry import REGISTRY\n"
        "print(REGISTRY.get('model_class', 'bidirectional-ddf') is model)\n"
    )
    assert ended.stdout.split() == ["True"], ended.stderr


def test_other_programs_pay_nothing():
    ended = run(
        "import sys\n"
        "print(*sorted(name for name in sys.modules if name.startswith('mmzoo')))\n"
        "print([name for name in ('tensorflow', 'numpy', 'deepreg') if name in sys.modules])\n"
        f"import os; print(os.environ.get('{onednn.VARIABLE}'))\n"
    )
    names, heavy, setting = ended.stdout.splitlines()
    assert names == "mmzoo mmzoo.deepreg mmzoo.deepreg.autoload", ended.stderr
    assert heavy == "[]" and setting == "None"


AT_TENSORFLOW = f"""
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "tensorflow":
            print("oneDNN", os.environ.get("{onednn.VARIABLE}"))
            os._exit(not sys.stdout.flush())
sys.meta_path.insert(0, Watch())
"""


@pytest.mark.parametrize(
    "program",
    [
        "import deepreg.train",
        "import mmzoo.deepreg; mmzoo.deepreg.activate(); import tensorflow",
        "import mmzoo; mmzoo.losses",
        "import mmzoo; mmzoo.load_model; import tensorflow",
        "from mmzoo.ops.warp import warp",
        "from mmzoo.networks.registration import MMRegNet",
        "import mmzoo.cli.main, tensorflow",
    ],
)
def test_onednn_is_on_when_tensorflow_starts_unless_the_user_chose(program):
    assert run(AT_TENSORFLOW + program).stdout == "oneDNN 1\n"
    assert run(AT_TENSORFLOW + program, **{onednn.VARIABLE: "0"}).stdout == "oneDNN 0\n"


def test_what_tensorflow_took_is_asked_of_tensorflow():
    for first in ("0", "1"):
        ended = run(
            f"import os; os.environ['{onednn.VARIABLE}'] = '{first}'\n"
            "import tensorflow\n"
            f"del os.environ['{onednn.VARIABLE}']\n"
            "from mmzoo import onednn; print(onednn.is_on())\n"
        )
        assert ended.stdout.strip() == str(first == "1"), ended.stderr


def test_the_finder_answers_for_deepreg_only():
    finder = autoload.DeepRegFinder()
    assert finder.find_spec("deepregister") is None
    assert finder.find_spec("numpy") is None
    assert finder.find_spec("deepreg").name == "deepreg"


def test_the_source_of_an_adapted_module_can_still_be_read():
    import deepreg.warp

    assert "def shape_sanity_check" in inspect.getsource(deepreg.warp)
    assert importlib.util.find_spec("deepreg.warp").loader.get_source("deepreg.warp")


def test_a_reload_adapts_again():
    import importlib

    from deepreg.config import parser

    reloaded = importlib.reload(parser)
    assert reloaded.collections.Mapping is not None
    assert hasattr(reloaded.config_sanity_check, "__wrapped__")
    assert not hasattr(reloaded.config_sanity_check.__wrapped__, "__wrapped__")


def test_install_is_idempotent():
    before = list(sys.meta_path)
    autoload.install()
    assert sys.meta_path == before
    assert any(isinstance(finder, autoload.DeepRegFinder) for finder in sys.meta_path)


@pytest.mark.parametrize("name", ["mmzoo", "mmzoo.deepreg"])
def test_what_every_program_imports_imports_nothing(name):
    import ast

    source = inspect.getsource(sys.modules[name])
    top = ast.parse(source).body
    assert not [node for node in top if isinstance(node, (ast.Import, ast.ImportFrom))]
