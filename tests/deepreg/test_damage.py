"""Trainings and predictions that were interrupted, and checkpoints that are damaged."""

import json
import shutil

import pytest

from mmzoo.deepreg import checkpoints
from mmzoo.errors import PreflightError
from mmzoo.evaluation.errors import PredictionError
from mmzoo.evaluation.prediction import open_prediction
from mmzoo.inference.loading import build_method
from mmzoo.inference.runs import open_run


def empty(path):
    path.write_bytes(b"")


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def foreign(path):
    path.write_bytes(b"not of TensorFlow\n" * 200)


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


DAMAGES = [
    (damage, part)
    for damage in (empty, cut, foreign, flipped)
    for part in ("index", "data-00000-of-00001")
]
IDS = [f"{damage.__name__}-{part.split('-')[0]}" for damage, part in DAMAGES]


@pytest.mark.parametrize(("damage", "part"), DAMAGES, ids=IDS)
def test_the_newest_whole_checkpoint_is_taken(begun, damage, part):
    damage(begun / "save" / f"ckpt-2.{part}")
    assert open_run(begun).checkpoint == str(begun / "save" / "ckpt-1")
    with pytest.raises(PreflightError, match="ckpt-2 is damaged .* whole one there is .*ckpt-1"):
        checkpoints.check_whole(str(begun / "save" / "ckpt-2"))


def test_a_run_whose_checkpoints_are_all_damaged_is_refused(begun):
    for index in (begun / "save").glob("*.index"):
        empty(index)
    with pytest.raises(PreflightError, match="No checkpoint in .*save is whole"):
        open_run(begun)


@pytest.mark.parametrize("damage", [empty, cut, foreign])
def test_a_damaged_configuration_of_a_run_is_named(begun, run_predict, damage):
    damage(begun / "config.yaml")
    with pytest.raises(PreflightError, match=r"config.yaml is empty or damaged.*command of the"):
        open_run(begun)
    with pytest.raises(ValueError, match=r"config.yaml"):
        run_predict(begun / "save" / "ckpt-2")


def test_a_training_writes_a_damaged_configuration_anew_and_goes_on(
    config, write_config, run_train, begun
):
    empty(begun / "config.yaml")
    run_train(write_config(config, train__epochs=3))
    assert checkpoints.epoch_of(open_run(begun).checkpoint) == 3


def test_a_training_goes_on_from_the_newest_whole_checkpoint(
    config, write_config, run_train, begun, caplog
):
    empty(begun / "save" / "ckpt-2.index")
    run_train(write_config(config))
    assert "Going on from" in caplog.text and "ckpt-1, which has 1 epochs behind" in caplog.text
    assert not checkpoints.damage_of(str(begun / "save" / "ckpt-2"))


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), empty, foreign])
def test_without_the_name_of_the_newest_nothing_is_overwritten(
    config, write_config, run_train, begun, damage
):
    damage(begun / "save" / "checkpoint")
    before = {path: path.read_bytes() for path in (begun / "save").glob("ckpt-*")}
    with pytest.raises(PreflightError, match="overwrite them. Go on with -k .*ckpt-2"):
        run_train(write_config(config))
    assert before == {path: path.read_bytes() for path in (begun / "save").glob("ckpt-*")}
    run_train(write_config(config, train__epochs=3), ckpt_path=str(begun / "save" / "ckpt-2"))
    assert open_run(begun).checkpoint.endswith("ckpt-3")


def test_a_damaged_checkpoint_is_no_traceback_when_it_is_built(begun):
    run = open_run(begun / "save" / "ckpt-2")
    foreign(begun / "save" / "ckpt-2.data-00000-of-00001")
    with pytest.raises(ValueError, match="ckpt-2"):
        build_method(run)


def test_an_interrupted_prediction_is_not_evaluated_as_a_whole(predicted, tmp_path, monkeypatch):
    run = tmp_path / "run" / "test"
    shutil.copytree(predicted, run)
    content = json.loads((run / "pairs.json").read_text())
    assert content["expected"] == 2 and content["complete"]
    open_prediction(run)
    shutil.rmtree(run / "pair_1")
    with pytest.raises(PredictionError, match="holds 1 of 2 pairs.*Give its command again"):
        open_prediction(run)


def test_a_prediction_that_is_killed_says_so_of_itself(trained, run_predict, monkeypatch, tmp_path):
    from deepreg import predict

    class KilledError(Exception):
        pass

    def killed(*args, **kwargs):
        raise KilledError

    monkeypatch.setattr(predict, "calculate_metrics", killed)  # after the first pair is written
    with pytest.raises(KilledError):
        run_predict(trained / "save" / "ckpt-2")
    with pytest.raises(PredictionError, match="holds 1 of 2 pairs"):
        open_prediction(tmp_path / "logs" / "prediction")


@pytest.mark.parametrize(
    ("entry", "value", "said"),
    [
        ("pairs", ["pair_0"], "at `pairs`"),
        ("expected", "two", "at `expected`"),
        ("dataset", 3, "at `dataset`"),
        ("complete", "yes", "at `complete`"),
    ],
)
def test_an_edited_pairs_json_is_named(predicted, tmp_path, entry, value, said):
    run = tmp_path / "run" / "test"
    shutil.copytree(predicted, run)
    content = json.loads((run / "pairs.json").read_text())
    (run / "pairs.json").write_text(json.dumps({**content, entry: value}))
    with pytest.raises(PredictionError, match=f"pairs.json` is not as it was written: {said}"):
        open_prediction(run)
