"""`train.steps_per_epoch` sets the length of a training epoch and nothing else."""

import types

import pytest

from mmzoo.deepreg.adaptations.commands import set_epoch_length


def module(**train):
    def build_dataset(dataset_config, preprocess_config, mode, training, repeat):
        return "loader", "dataset", 7

    plain = types.SimpleNamespace(
        build_config=lambda: ({"train": train}, "log", ""), build_dataset=build_dataset
    )
    set_epoch_length(plain)
    return plain


@pytest.mark.parametrize(
    ("train", "mode", "steps"),
    [
        ({"steps_per_epoch": 3}, "train", 3),
        ({"steps_per_epoch": 3}, "valid", 7),
        ({}, "train", 7),
    ],
)
def test_only_training_epochs_are_set(train, mode, steps):
    adapted = module(**train)
    assert adapted.build_config()[0] == {"train": train}
    assert adapted.build_dataset({}, {}, mode=mode, training=True, repeat=True) == (
        "loader",
        "dataset",
        steps,
    )


def test_nonsense_is_named():
    with pytest.raises(ValueError, match="`train.steps_per_epoch` must be a number above 0, got 0"):
        module(steps_per_epoch=0).build_config()
