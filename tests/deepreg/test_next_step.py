"""What is said after a training and after a prediction: paths, and commands that can be pasted."""

import logging
import shlex
from types import SimpleNamespace

import pytest
import tensorflow as tf

from mmzoo.deepreg.adaptations import next_step

DIRS = {"train": "data/train", "valid": "data/valid", "test": "data/test"}


def said(folder="logs/heart", dirs=DIRS, gpu=""):
    text = next_step.after_training(
        f"{folder}/save/ckpt-5", folder, {"dataset": {"dir": dirs}}, gpu
    )
    checkpoint, predict, evaluate = text.splitlines()
    assert checkpoint == f"checkpoint: {folder}/save/ckpt-5"
    return shlex.split(predict.removeprefix("next: ")), shlex.split(evaluate)


def test_the_commands_are_those_of_the_readme():
    predict, evaluate = said()
    assert predict == shlex.split(
        'deepreg_predict -g "" -k logs/heart/save/ckpt-5 -m test -l heart_test'
    )
    assert evaluate == ["mmzoo", "evaluate", "heart_test"]


@pytest.mark.parametrize("empty", [None, ""])
def test_the_last_split_that_has_data_is_predicted(empty):
    predict, evaluate = said(dirs={**DIRS, "test": empty})
    assert predict[predict.index("-m") + 1] == "valid" and evaluate[-1] == "heart_valid"
    predict, _ = said(dirs={"train": "data"})
    assert predict[predict.index("-m") + 1] == "train"


def test_another_root_a_gpu_and_spaces_are_kept():
    predict, evaluate = said("/my runs/heart", gpu="0")
    assert predict[:5] == ["deepreg_predict", "-g", "0", "-k", "/my runs/heart/save/ckpt-5"]
    assert predict[-2:] == ["--log_root", "/my runs"]
    assert evaluate[-1] == "/my runs/heart_test"


def module(folder):
    """Stand in for `deepreg.train` and `deepreg.predict`."""
    made = SimpleNamespace(logging=logging)
    made.build_config = lambda: (
        {"dataset": {"dir": DIRS}, "train": {"save_period": 7}},
        str(folder),
    )

    def work(gpu):
        made.build_config()

    made.train = made.predict = work
    return made


def test_a_training_names_its_last_checkpoint(tmp_path, capsys):
    tf.train.Checkpoint(value=tf.Variable(1.0)).save(str(tmp_path / "save" / "ckpt"))
    train = module(tmp_path)
    next_step.name_prediction(train)
    train.train(gpu="")
    assert f"checkpoint: {tmp_path}/save/ckpt-1\n" in capsys.readouterr().out


def test_a_training_without_a_checkpoint_says_so(tmp_path, capsys, caplog):
    train = module(tmp_path)
    next_step.name_prediction(train)
    train.train(gpu="")
    assert capsys.readouterr().out == ""
    assert "No checkpoint was saved: train.save_period is 7" in caplog.text


def test_a_prediction_names_its_evaluation(capsys):
    predict = module("logs/heart_test")
    next_step.name_evaluation(predict)
    predict.predict(gpu="")
    assert (
        capsys.readouterr().out == "prediction: logs/heart_test\nnext: mmzoo evaluate heart_test\n"
    )


def test_deepreg_s_notice_of_an_option_is_left_out_and_nothing_else(caplog):
    import deepreg.predict  # noqa: F401  (which is adapted)

    logging.warning("sample_label is not used in predict. It is True.")
    logging.warning("sample_label is wrong")
    assert [record.getMessage() for record in caplog.records] == ["sample_label is wrong"]
