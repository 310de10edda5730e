"""Presets: a training as one file, by name, with a checksum, and without what runs code."""

import io
import json
import zipfile

import numpy as np
import pytest
from helpers_runs import SIZE, random_pair, write_run
from typer.testing import CliRunner

import mmzoo
from mmzoo.cli.main import app
from mmzoo.deepreg import presets
from mmzoo.inference import packing
from mmzoo.inference.export import export
from mmzoo.inference.loading import load_model
from mmzoo.inference.runs import PAINTED, open_run
from mmzoo.layers import painting

TERMS = {"title": "Boxes of any contrast", "licence": "Apache-2.0"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "labels", "labels-ddf")


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty folder of added presets."""
    monkeypatch.setenv(presets.VARIABLE, str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def packed(run, tmp_path):
    out = packing.pack(run, tmp_path / "boxes.npz", **TERMS, spacing_mm=(3.0, 3.0, 2.0))
    return out, presets.checksum(out)


def test_a_packed_training_that_was_added_gives_the_field_of_its_last_checkpoint(
    run, packed, store
):
    path, sha256 = packed
    assert packing.add(str(path), sha256) == store / "boxes.npz"
    pair = random_pair()
    ours, theirs = (np.asarray(load_model(which)(pair)["ddf"]) for which in ("boxes", run))
    assert np.abs(theirs).max() > 1e-2
    np.testing.assert_allclose(ours, theirs, atol=3e-3 * np.abs(theirs).max())  # float16
    assert np.abs(ours - load_model(run / "save" / "ckpt-2")(pair)["ddf"]).max() > 1e-3
    found = open_run("boxes")
    assert (found.image_size, found.spacing_mm) == (SIZE, (3.0, 3.0, 2.0))
    assert found.percentiles == PAINTED == painting.PERCENTILES and not found.compares_images
    assert presets.rows()[-1] == ("boxes", "added", TERMS["title"])
    with pytest.raises(ValueError, match=r"did you mean boxes\?"):
        open_run("boxs")


def test_a_preset_is_predicted_with_exported_and_listed(packed, store, tmp_path):
    packing.add(str(packed[0]), packed[1], name="others")
    predictor = mmzoo.Predictor("others")
    pair = {name: image[0] for name, image in random_pair().items()}
    found = predictor(**pair)
    assert found.ddf.shape == (*SIZE, 3) and np.abs(found.ddf).max() > 1e-2
    with pytest.raises(ValueError, match="learnt from labels alone"):
        predictor(**pair, refine=2)
    export("others", tmp_path / "x.keras", "keras")
    again = load_model(tmp_path / "x.keras")(random_pair())["ddf"]
    np.testing.assert_allclose(again, load_model("others")(random_pair())["ddf"], atol=1e-6)
    listed = CliRunner().invoke(app, ["list", "presets"])
    assert listed.exit_code == 0 and "others" in listed.output


def test_a_folder_of_that_name_comes_before_a_preset(packed, store, run, monkeypatch):
    packing.add(str(packed[0]), packed[1], name=run.name)
    monkeypatch.chdir(run.parent)
    assert open_run(run.name).checkpoint.endswith("ckpt-10")
    monkeypatch.chdir(store)
    assert open_run(run.name).checkpoint.endswith(".npz")


def test_what_is_wrong_is_not_added(packed, store, tmp_path):
    path, sha256 = packed
    with pytest.raises(
        ValueError, match=f"has the SHA-256 {sha256}, not 0123: .* Nothing was added"
    ):
        packing.add(str(path), "0123")
    with pytest.raises(ValueError, match="no file"):
        packing.add(str(tmp_path / "none.npz"), sha256)
    with pytest.raises(ValueError, match="begin with https"):
        packing.add("http://example.org/boxes.npz", sha256)
    with pytest.raises(ValueError, match="file names"):
        packing.add(str(path), sha256, name="../boxes")
    bad = tmp_path / "bad.npz"
    bad.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="cannot be read as a preset"):
        packing.add(str(bad), presets.checksum(bad))
    np.savez(bad, weight_0=np.zeros(3))
    with pytest.raises(ValueError, match="is no preset"):
        packing.add(str(bad), presets.checksum(bad))
    assert not store.exists()
    packing.add(str(path), sha256)
    with pytest.raises(ValueError, match="already; add --overwrite"):
        packing.add(str(path), sha256)
    packing.add(str(path), sha256, overwrite=True)


def test_a_pickle_is_refused(packed, store, tmp_path):
    class Runs:
        def __reduce__(self):
            return (exec, ("raise SystemExit('ran')",))

    bad = tmp_path / "bad.npz"
    np.savez(bad, weight_0=np.array([Runs()], object))
    with zipfile.ZipFile(bad, "a") as file, zipfile.ZipFile(packed[0]) as good:
        file.writestr("about.json", good.read("about.json"))
    with pytest.raises(ValueError, match="cannot be read as a preset"):
        packing.add(str(bad), presets.checksum(bad))


def test_a_changed_file_is_refused_when_it_is_used(packed, store):
    out = packing.add(str(packed[0]), packed[1])
    content = out.read_bytes()
    out.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match="is not the file that boxes.sha256 beside it"):
        load_model("boxes")
    out.write_bytes(content)
    out.with_suffix(".sha256").unlink()
    with pytest.raises(ValueError, match="add the preset again"):
        load_model("boxes")


def test_weights_of_another_network_than_it_says_are_refused(packed, store, tmp_path):
    bad = tmp_path / "bad.npz"
    with zipfile.ZipFile(packed[0]) as good, zipfile.ZipFile(bad, "w") as file:
        for name in good.namelist():
            content = good.read(name)
            if name == "about.json":
                about = json.loads(content)
                about["train"]["backbone"]["encoder"] = [2, 3]
                content = json.dumps(about).encode()
            file.writestr(name, content)
    packing.add(str(bad), presets.checksum(bad))
    with pytest.raises(ValueError, match="are of another network than it says"):
        load_model("bad")


def test_an_address_is_fetched_and_one_that_is_too_large_is_not(packed, store, monkeypatch):
    path, sha256 = packed
    asked = []

    def urlopen(address, timeout):
        asked.append(address)
        return io.BytesIO(path.read_bytes())

    monkeypatch.setattr(packing.urllib.request, "urlopen", urlopen)
    address = "https://example.org/a/boxes.npz?raw=1"
    assert packing.add(address, sha256.upper()).name == "boxes.npz" and asked == [address]
    monkeypatch.setattr(packing, "LARGEST", 10)
    with pytest.raises(ValueError, match="is larger than"):
        packing.add(address, sha256, name="again")


def test_pack_by_command_says_how_others_take_it(run, store, tmp_path):
    out = tmp_path / "heads.npz"
    command = ["presets", "pack", str(run), "--out", str(out), "--title", "Heads"]
    command += ["--licence", "CC0", "--spacing", "3", "3", "3"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert f"mmzoo presets add heads.npz --sha256 {presets.checksum(out)}" in result.output
    result = CliRunner().invoke(app, command)
    assert result.exit_code != 0 and "--overwrite" in str(result.output) + str(result.exception)
    added = ["presets", "add", str(out), "--sha256", presets.checksum(out), "--name", "mine"]
    assert CliRunner().invoke(app, added).exit_code == 0 and "mine" in presets.paths()
    with pytest.raises(ValueError, match="file .npz"):
        packing.pack(run, tmp_path / "heads.h5", **TERMS)


def test_every_preset_of_the_zoo_is_whole_small_and_builds():
    for path in sorted(presets.folders()[0].glob("*.npz")):
        about = presets.read_about(path)
        assert path.stat().st_size < 4e6 and about.title and about.licence
        model = load_model(path.stem, about.image_size)
        assert model.outputs and all(np.isfinite(w).all() for w in presets.read_weights(path))


def test_a_card_goes_into_the_file_and_one_with_other_parts_is_refused(run, tmp_path):
    card = tmp_path / "card.yaml"
    card.write_text("trained_on: boxes\nhours: 1.5\n")
    out = tmp_path / "boxes.npz"
    terms = ["--title", "Boxes", "--licence", "Apache-2.0", "--card", str(card)]
    done = CliRunner().invoke(app, ["presets", "pack", str(run), "--out", str(out), *terms])
    assert done.exit_code == 0, done.output
    about = presets.read_about(out)
    assert (about.trained_on, about.hours, about.limits) == ("boxes", 1.5, "")
    with pytest.raises(ValueError, match="got weeks"):
        packing.pack(run, tmp_path / "other.npz", **TERMS, card={"weeks": 1})
    assert not (tmp_path / "other.npz").exists()
