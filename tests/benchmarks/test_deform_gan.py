"""Deform-GAN's configurations at a smaller scale, beside the print and beside the test sets."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.engine.paper import load_paper
from mmzoo.config_merge import merge_files
from mmzoo.layers.deformation import random_deformation
from mmzoo.phantoms.motion.brain_motion import random_motion
from mmzoo.phantoms.motion.transforms import invert

CONFIGS = Path(__file__).parents[2] / "configs"
FOLDER = CONFIGS / "deform_gan"
GANS = ("deform_gan_1", "deform_gan_2")
TRAINED = (*GANS, "voxelmorph_lg", "voxelmorph_lcc", "voxelmorph_mi")
LENGTHS = ("size", "shift", "elastic", "spacing")  # in voxels
FIELD_OF_VIEW_MM = np.array([168.0, 192.0, 160.0])  # of the phantom
BRAIN_MM = np.array([66.0, 83.0, 74.0])  # half its extent along each axis
SCALES = (None, "laptop")


def train_of(name: str, scale: str | None) -> dict:
    chosen = [CONFIGS / "scale" / f"{scale}.yaml"] if scale else []
    return merge_files([FOLDER / f"{name}.yaml", *chosen])["train"]


def rates(train: dict) -> list[float]:
    """Learning rates of T, G and D; G and D have T's optimizer where nothing else is said."""
    own = [train["translator"].get(f"{net}_optimizer") for net in ("generator", "discriminator")]
    return [(settings or train["optimizer"])["learning_rate"] for settings in [None, *own]]


@pytest.mark.parametrize("scale", [*SCALES, "smoke"])
@pytest.mark.parametrize("name", GANS)
def test_the_three_networks_learn_at_one_rate_as_printed(name, scale):
    """Section 3.3: "We use ADAM optimizer with learning rate 1e-4", for T, G and D."""
    of_t, of_g, of_d = rates(train_of(name, scale))
    assert (of_g / of_t, of_d / of_t, of_t) == (1, 1, 1e-4)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", TRAINED)
def test_every_row_learns_at_the_rate_of_deform_gan(name, scale):
    assert train_of(name, scale)["optimizer"] == train_of("deform_gan_2", None)["optimizer"]


@pytest.mark.parametrize("name", TRAINED)
def test_the_laptop_deforms_as_the_print_does_in_its_own_voxels(name):
    laptop = load_paper("deform_gan", "laptop")
    ratio = np.divide(laptop.size("brain", "paper"), laptop.size("brain")).mean()
    printed, ours = (train_of(name, scale)["preprocess"]["data_augmentation"] for scale in SCALES)
    assert printed["size"] == 40
    for key, value in printed.items():
        wanted = value / ratio if key in LENGTHS else value
        assert ours[key] == (value if isinstance(value, str) else pytest.approx(wanted, rel=0.03))


@pytest.fixture(scope="module")
def brain():
    """Points of the brain: indices into the laptop's grid, and in millimetres about its centre."""
    shape = load_paper("deform_gan", "laptop").size("brain")
    index = np.argwhere(np.ones(shape, bool))
    points = (index + 0.5) * FIELD_OF_VIEW_MM / shape - FIELD_OF_VIEW_MM / 2
    inside = (np.square(points / BRAIN_MM).sum(axis=1) < 1) & (index % 4 == 0).all(axis=1)
    return shape, tuple(index[inside].T), points[inside]


def test_the_test_sets_lie_within_the_trained_deformations(brain):
    shape, index, points = brain
    settings = dict(train_of("deform_gan_2", "laptop")["preprocess"]["data_augmentation"])
    del settings["name"]
    tf.random.set_seed(0)
    fields = np.concatenate([random_deformation(8, shape, **settings) for _ in range(8)])
    largest = np.abs(fields).max(axis=(1, 2, 3, 4))
    assert largest.max() > 0.98 * settings["size"]
    lengths = np.linalg.norm(fields[(slice(None), *index)] * (FIELD_OF_VIEW_MM / shape), axis=-1)
    trained_mm = lengths.mean(axis=1)
    every = load_paper("deform_gan", "laptop").data.values()
    for size_mm in {data["phantom"]["motion"] for data in every}:
        tested_mm = [mean_length(seed, 0.9 * size_mm, points) for seed in range(12)]
        assert np.mean(tested_mm) < 1.1 * trained_mm.mean() and max(tested_mm) < trained_mm.max()


def mean_length(seed: int, size_mm: float, points: np.ndarray) -> float:
    motion = random_motion(seed, size_mm, points)
    return np.linalg.norm(invert(motion, points) - points, axis=-1).mean()
