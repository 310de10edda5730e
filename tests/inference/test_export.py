"""Exported networks give the same where neither mmzoo nor DeepReg can be imported."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from helpers_runs import random_pair

from mmzoo.framework import keras
from mmzoo.inference import export as exporting
from mmzoo.inference.export import export
from mmzoo.inference.loading import load_model

FOREIGN = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("mmzoo", "deepreg", "tf_keras"):
            raise ImportError("blocked: " + name)

for name in [name for name in sys.modules if name.split(".")[0] == "mmzoo"]:
    del sys.modules[name]
sys.meta_path.insert(0, Block())
import keras
import numpy as np
import tensorflow as tf

assert keras.__version__.startswith("3.") and "mmzoo" not in sys.modules
for path in sys.argv[1:]:
    data = dict(np.load(path + ".npz"))
    pair = {name: data.pop(name) for name in ("moving", "fixed")}
    model = tf.saved_model.load(path)  # whose variables live as long as it has a name
    plain = model.signatures["serving_default"](**pair)
    inputs = {name: keras.Input(image.shape[1:], name=name) for name, image in pair.items()}
    layer = keras.layers.TFSMLayer(path, call_endpoint="serve")
    within = keras.Model(inputs, layer(inputs)).predict(pair, verbose=0)
    for found in (plain, within):
        assert sorted(found) == sorted(data)
        for name, expected in data.items():
            np.testing.assert_allclose(found[name], expected, atol=1e-5)
    graph = open(path + "/saved_model.pb", "rb").read()
    assert b"_XlaMustCompile" not in graph
model = tf.saved_model.load(sys.argv[1])
try:
    model.serve({name: tf.zeros((1, 16, 16, 20)) for name in pair})
except tf.errors.InvalidArgumentError as error:
    assert "each axis must be a multiple of 16" in str(error)
else:
    raise AssertionError("a size that cannot be halved was taken")
print("the same")
"""


def test_a_savedmodel_gives_the_same_in_keras_3_without_mmzoo_and_deepreg(runs, tmp_path):
    for method in ("bidirectional-ddf", "bspline-ddf", "deform-gan"):
        translated = method == "deform-gan"
        pair = random_pair((16, 32, 16), batch=2)
        expected = load_model(runs[method], translated=translated)(pair)
        export(runs[method], tmp_path / method, "savedmodel", translated=translated)
        np.savez(tmp_path / f"{method}.npz", **pair, **expected)
    paths = [str(tmp_path / m) for m in ("bidirectional-ddf", "bspline-ddf", "deform-gan")]
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "0", "PYTHONPATH": ""}
    ended = subprocess.run(
        [sys.executable, "-c", FOREIGN, *paths], env=environment, capture_output=True, text=True
    )
    assert ended.stdout == "the same\n", ended.stderr[-3000:]
    note = json.loads((tmp_path / "bspline-ddf" / "assets.extra" / "mmzoo.json").read_text())
    assert note["percentiles"] == [1, 99] and note["outputs"] == ["ddf", "warped"]
    assert note["trained_on_grid"] == [16, 16, 16] and note["image_size"] is None


def test_a_keras_file_gives_the_same(runs, tmp_path):
    pair = random_pair()
    out = export(runs["rigidity-ddf"], tmp_path / "new" / "x.keras", "keras")
    expected = load_model(runs["rigidity-ddf"])(pair)
    found = keras.models.load_model(out)(pair)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)
    with zipfile.ZipFile(out) as archive:
        assert json.loads(archive.read("mmzoo.json"))["method"] == "rigidity-ddf"


@pytest.mark.parametrize("method", ["bspline-ddf", "deform-gan"])
def test_onnx_gives_the_same(runs, tmp_path, method):
    reason = "onnxruntime and tf2onnx are not installed: pip install mmzoo[onnx]"
    pytest.importorskip("tf2onnx", reason=reason)
    runtime = pytest.importorskip("onnxruntime", reason=reason)
    translated = method == "deform-gan"
    out = export(runs[method], tmp_path / "x.onnx", "onnx", translated=translated)
    session = runtime.InferenceSession(out, providers=["CPUExecutionProvider"])
    model = load_model(runs[method], translated=translated)
    for size in ((16, 16, 16), (8, 24, 16)):
        pair = random_pair(size)
        expected = model(pair)
        names = [output.name for output in session.get_outputs()]
        found = dict(zip(names, session.run(None, pair), strict=True))
        assert sorted(found) == sorted(expected)
        for name in expected:
            np.testing.assert_allclose(found[name], expected[name], atol=1e-5)
    assert "mmzoo.json" in session.get_modelmeta().custom_metadata_map


def test_onnx_says_what_to_install(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r'mmzoo\[onnx\]", or use the format savedmodel'):
        export(runs["direct-ddf"], tmp_path / "x.onnx", "onnx")


def test_what_cannot_be_written_is_refused_before_any_work(runs, tmp_path):
    run = runs["direct-ddf"]
    with pytest.raises(ValueError, match="did you mean 'keras'"):
        export(run, tmp_path / "x", "kears")
    with pytest.raises(ValueError, match=r"is a file \.keras, got .*use .*x\.keras"):
        export(run, tmp_path / "x.h5", "keras")
    with pytest.raises(ValueError, match="no training"):
        export(tmp_path / "nothing", tmp_path / "x.keras", "keras")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(ValueError, match="is a folder, and no export"):
        export(run, tmp_path / "mine", "savedmodel", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]


def test_an_earlier_export_stays_until_a_new_one_is_whole(runs, tmp_path, monkeypatch):
    out = tmp_path / "x.keras"
    out.write_text("earlier")
    with pytest.raises(ValueError, match="there already; add --overwrite"):
        export(runs["direct-ddf"], out, "keras")

    def fail(model, path, note):
        path.write_text("half")
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setitem(exporting.FORMATS, "keras", (".keras", fail))
        with pytest.raises(OSError, match="disk is full"):
            export(runs["direct-ddf"], out, "keras", overwrite=True)
    assert out.read_text() == "earlier" and list(tmp_path.iterdir()) == [out]
    export(runs["direct-ddf"], out, "keras", overwrite=True)
    assert zipfile.is_zipfile(out) and list(tmp_path.iterdir()) == [out]


def test_the_command_writes_a_file_and_says_what_is_in_it(runs, tmp_path, monkeypatch, capfd):
    from mmzoo.cli.main import main

    command = ["mmzoo", "export", str(runs["direct-ddf"]), "--format"]
    monkeypatch.setattr(sys, "argv", [*command, "keras", "--out", str(tmp_path / "x.keras")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0 and (tmp_path / "x.keras").exists()
    assert "inputs moving and fixed" in capfd.readouterr().out
    monkeypatch.setattr(sys, "argv", [*command, "savedmodle", "--out", str(tmp_path / "y")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert re.search("Error: .*did you mean 'savedmodel'", capfd.readouterr().err)
