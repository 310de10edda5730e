import random
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from deepreg.dataset.load import get_data_loader
from deepreg.dataset.util import get_label_indices

from mmzoo.deepreg.adaptations import seeding


@pytest.fixture(autouse=True)
def unseeded():
    yield
    seeding.seed_run(None)


def variables(path) -> dict:
    reader = tf.train.load_checkpoint(str(path))
    names = reader.get_variable_to_shape_map()
    return {n: reader.get_tensor(n) for n in names if n != "_CHECKPOINTABLE_OBJECT_GRAPH"}


def differing(first, second) -> dict[str, float]:
    """Return by how much the variables of two checkpoints differ, those that do."""
    a, b = variables(first), variables(second)
    assert a.keys() == b.keys()
    return {n: np.abs(a[n] - b[n]).max() for n in a if not np.array_equal(a[n], b[n])}


def test_same_seed_gives_bit_identical_training_in_another_process(
    config, write_config, trained, tmp_path
):
    path = write_config(config)
    command = [sys.executable, "-c", "from deepreg.train import main; main()"]
    command += ["-g", "", "-c", path, "-l", "there", "--log_root", str(tmp_path / "logs")]
    subprocess.run(command, check=True, capture_output=True)
    assert not differing(trained / "save/ckpt-2", tmp_path / "logs/there/save/ckpt-2")


def test_another_seed_gives_another_training(config, write_config, run_train, trained):
    run = run_train(write_config(config, train__seed=8, train__epochs=1))
    assert differing(trained / "save/ckpt-1", run / "save/ckpt-1")


def loaders(config, seed, *modes):
    seeding.seed_run(seed)
    return [get_data_loader(config["dataset"], mode) for mode in modes]


def orders(loader, epochs: int = 6) -> list[list[int]]:
    return [[index for index, *_ in loader.sample_index_generator()] for _ in range(epochs)]


def test_training_order_follows_the_seed_and_changes_with_the_epoch(config):
    (first,), (again,), (other,) = (loaders(config, seed, "train") for seed in (3, 3, 4))
    drawn = orders(first)
    assert orders(again) == drawn
    assert len({tuple(order) for order in drawn}) > 1
    assert all(sorted(order) == [0, 1, 2, 3] for order in drawn)
    assert orders(other) != drawn


def test_a_training_that_goes_on_ends_bit_for_bit_as_if_it_had_not_stopped(
    config, write_config, run_train, trained
):
    # four pairs in random order, in two batches an epoch, each deformed at random
    path = write_config(config)
    run_train(path, max_epochs=1)
    run = run_train(path)
    assert differing(trained / "save/ckpt-1", trained / "save/ckpt-2")
    assert not differing(trained / "save/ckpt-2", run / "save/ckpt-2")


def test_a_training_without_a_seed_goes_on_with_other_data(config, write_config, run_train):
    path = write_config(config, train__seed=None)
    run_train(path, max_epochs=1)
    assert (run_train(path) / "save/ckpt-2.index").is_file()


def test_validation_order_stays_deepregs(config):
    # random.Random(0).shuffle([0, 1]) of DeepReg's two test pairs leaves them swapped or not,
    # whatever the run's seed.
    (seeded,), (plain,) = (loaders(config, seed, "test") for seed in (3, None))
    drawn = orders(seeded)
    assert orders(plain) == drawn
    assert len({tuple(order) for order in drawn}) == 1


def chosen_labels(loader, times: int = 3) -> list[int]:
    return [int(sample["indices"][-1]) for _ in range(times) for sample in loader.data_generator()]


def test_label_choice_follows_the_seed(config):
    (first,), (again,) = (loaders(config, 3, "train") for _ in range(2))
    drawn = chosen_labels(first)
    assert chosen_labels(again) == drawn
    assert set(drawn) == {0, 1}


def test_loaders_draw_nothing_from_each_other_s_generators(config):
    (alone,) = loaders(config, 3, "train")
    train, valid, of_an_earlier_run = loaders(config, 3, "train", "valid", "train")
    drawn = []
    for _ in range(3):
        drawn += chosen_labels(train, 1)
        chosen_labels(valid, 1)
        chosen_labels(of_an_earlier_run, 1)
    assert drawn == chosen_labels(alone)


def test_label_choice_without_a_seed_is_that_of_python_s_generator(monkeypatch):
    monkeypatch.setattr(seeding._choosing, "draws", None, raising=False)
    random.seed(3)  # these five were drawn by plain DeepReg 0.1.2 on Python 3.8
    assert [get_label_indices(7, "sample") for _ in range(5)] == [[1], [4], [4], [1], [2]]
