import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import yaml

from benchmarks import step
from benchmarks.engine.paper import paper_names
from benchmarks.speed import laptop, plain, runs
from benchmarks.speed.plainly import plainly
from mmzoo import losses
from mmzoo.config_merge import merge_files
from mmzoo.layers import warp as layers_warp
from mmzoo.ops.warp import warp

# A method's pieces are the same for the demo and for every size: the last are the flattest.
TRAININGS = {training.method: training for training in laptop.trainings()}.values()
SMALLEST = 16  # voxels an axis
SHORT = ("MMRegNet", "Deform-GAN-1", "PoolNet NMI", "US-RP")  # one of each paper
EACH = [
    pytest.param(t, marks=[] if t.method in SHORT else pytest.mark.long, id=f"{t.subject} {t.size}")
    for t in TRAININGS
]


def logs(training, folder) -> dict[str, float]:
    """Every term's first value on small images, with weights that move voxels."""
    size = tuple(min(n, SMALLEST) for n in training.size)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(merge_files(training.files)))
    tf.keras.utils.set_random_seed(0)
    model, pair = step.build([str(path)], size, training.batch)
    for k, weight in enumerate(model.trainable_weights):
        if weight.shape[-1] in (3, 6):  # of fields, which begin at zero
            weight.assign(tf.random.stateless_normal(weight.shape, (0, k), stddev=0.1))
    assert 0.05 < np.ptp(model(pair, training=False)["ddf"]) < 10  # voxels
    return {name: float(value) for name, value in model.test_step(pair).items()}


@pytest.mark.parametrize("training", EACH)
def test_a_step_written_plainly_has_the_same_loss(training, tmp_path):
    fast = logs(training, tmp_path)
    with plainly() as calls:
        assert not calls
        assert logs(training, tmp_path) == pytest.approx(fast, rel=1e-3, abs=1e-6)
    sections = merge_files(training.files)["train"]["loss"]
    names = {settings.get("name", section) for section, settings in sections.items()}
    assert calls.keys() - {"warp"} == names - {"cycle", "dice"} | {"resample"}


def test_leaving_puts_the_fast_pieces_back():
    from deepreg.loss.deform import GradientNorm
    from deepreg.model import layer_util

    before = losses.segi, losses.Rigidity.call, GradientNorm.call, layer_util.resample
    with pytest.raises(ZeroDivisionError), plainly():
        assert losses.segi is not before[0]
        assert GradientNorm.call is not before[2]
        1 / 0  # noqa: B018
    assert before == (losses.segi, losses.Rigidity.call, GradientNorm.call, layer_util.resample)
    assert layers_warp.warp is warp


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        (
            "segi",
            {"sigmas": [1.0, 0.0], "absolute": False, "eps": 0.01, "spacing": [1.0, 2.0, 0.5]},
        ),
        ("local_gradient", {"window": 3, "absolute": False, "eps": 0.3}),
        ("local_correlation", {"window": 5, "eps": 0.01}),
        ("nmi", {"num_bins": 32, "sigma": 0.02}),
        ("mi", {"num_bins": 16, "sigma_ratio": 0.7}),
        ("ncc", {"eps": 0.1}),
    ],
)
def test_similarities_take_the_same_settings(name, settings):
    images = np.random.default_rng(0).random((2, 2, 12, 10, 11), np.float32)
    images[1] = 0.5 * (images[0] + images[1])
    images = [tf.constant(image) for image in images]
    expected, got = (getattr(form, name)(*images, **settings) for form in (losses, plain))
    np.testing.assert_allclose(got, expected, rtol=1e-3)


@pytest.mark.parametrize("stencil", ["compact", "nested"])
def test_regularisers_take_the_same_settings(stencil):
    draws = np.random.default_rng(0).random((2, 2, 12, 10, 11, 3), np.float32)
    field, mask = tf.constant(draws[0]), tf.constant(draws[1, ..., 0])
    settings = {"stencil": stencil, "spacing": [1.0, 2.0, 0.5]}
    expected, got = (
        [
            bending(field, **settings),
            rigidity(field, mask, linearity=2.0, orthonormality=0.5, **settings),
        ]
        for bending, rigidity in (
            (losses.bending_energy, losses.rigidity),
            (plain.bending, plain.rigidity),
        )
    )
    np.testing.assert_allclose(got, expected, rtol=1e-3)


def test_the_warp_goes_on_beyond_the_border_as_ours():
    draws = np.random.default_rng(0)
    volume = tf.constant(draws.random((2, 12, 10, 11), np.float32))
    ddf = tf.constant(4 * draws.standard_normal((2, 12, 10, 11, 3), np.float32))
    with plainly() as calls:
        np.testing.assert_allclose(plain.warp(volume, ddf), warp(volume, ddf), atol=1e-5)
    assert calls == {"resample": 1}


def test_the_demo_is_as_the_makefile_makes_it():
    demo, *papers = laptop.trainings()
    assert (demo.of, demo.size, demo.batch, demo.threads) == ("demo", (48, 48, 48), 1, 0)
    assert {training.of for training in papers} == {*paper_names()}
    assert demo.steps == 2500


def test_steps_are_those_of_all_folds_and_data_sets():
    by = {(t.subject, t.size): t for t in laptop.trainings()}
    cine = by["devos_mi, U-Net NMI", (96, 96, 6)]
    assert (cine.batch, cine.threads, cine.steps) == (2, 1, 4 * 10 * 100)
    breast = by["devos_mi, U-Net NMI", (48, 48, 48)]
    assert breast.steps == 10 * 100


def test_a_step_written_plainly_is_measured():
    config = Path(step.__file__).with_name("speed") / "unet.yaml"
    command = (sys.executable, step.__file__, str(config), "--one", "--json", "--size", "16")
    run = runs.SpeedRun("U-Net", "plain", (16, 16, 16), (*command, "--plain"), threads=1)
    assert runs.call(run, 12)["gradient_s"] > 0
