"""Models of finished trainings, with weights: plain Keras ones, and DeepReg's."""

import copy
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmzoo.deepreg.plugins import OF_BACKBONE, PLUGINS
from mmzoo.deepreg.training import network_of
from mmzoo.errors import PreflightError
from mmzoo.inference.exported import is_exported, load_exported
from mmzoo.inference.runs import TrainedRun, open_run


def build_method(
    run: TrainedRun, image_size: Sequence[int] | None = None, *, with_loss: bool = False
) -> Any:
    """Return DeepReg's model of a run for one pair without labels, its weights restored.

    Args:
        run: of a method of the zoo.
        image_size: (dim1, dim2, dim3), the run's own by default.
        with_loss: whether its loss is wanted too, which takes most of the time.

    Raises:
        PreflightError: another method, or a checkpoint of another model.
        ImportError: DeepReg is not installed, or TensorFlow runs Keras 3.
    """
    import mmzoo.deepreg
    from mmzoo.deepreg import autoload

    mmzoo.deepreg.activate()
    autoload.prepare_tensorflow()  # before anything else asks which Keras it is
    import tensorflow as tf

    from mmzoo.deepreg import presets
    from mmzoo.deepreg.adaptations import checkpoint

    size = tuple(image_size or run.image_size)
    train = copy.deepcopy(run.config["train"])
    settings = {"moving_image_size": size, "fixed_image_size": size, "config": train}
    one_pair = {"index_size": 2, "labeled": False, "batch_size": 1}
    model = _class_of(run, with_loss)(**settings, **one_pair)
    if run.checkpoint.endswith(presets.ENDING):
        presets.set_weights(network_of(model), Path(run.checkpoint))
        return model
    checkpoint.check_matches(model, run.checkpoint)
    tf.train.Checkpoint(model=model).restore(run.checkpoint).expect_partial()
    return model


def trained_network(run: TrainedRun):
    """Return the network of a run with its weights."""
    from mmzoo.framework import keras

    if not is_of_zoo(run):
        return network_of(build_method(run))
    (network,) = (layer for layer in zoo_model(run).layers if isinstance(layer, keras.Model))
    return network


def _class_of(run: TrainedRun, with_loss: bool) -> type:
    from mmzoo.deepreg.methods.bidirectional_ddf import BidirectionalDDFModel
    from mmzoo.deepreg.methods.deform_gan import DeformGANModel
    from mmzoo.deepreg.methods.one_way import OneWayDDFModel
    from mmzoo.deepreg.preflight.configuration import registered

    ours = (BidirectionalDDFModel, OneWayDDFModel)
    cls = registered("model_class", run.method)
    if not (isinstance(cls, type) and issubclass(cls, ours)):
        raise PreflightError(
            f"{run.checkpoint} is of method {run.method!r}, which is not the zoo's: its network "
            "and warp are known to DeepReg alone. Use deepreg_predict, or train with direct-ddf in "
            "place of ddf."
        )
    if with_loss or issubclass(cls, DeformGANModel):  # which builds its terms anew in each step
        return cls
    return type(cls.__name__, (cls,), {"build_loss": lambda self: None})


def load_model(
    run: str | Path | TrainedRun,
    image_size: Sequence[int] | None = None,
    *,
    translated: bool = False,
    trust: bool = False,
):
    """Return the trained network of a run as a plain Keras model.

    Inputs `moving` and `fixed`, (batch, dim1, dim2, dim3) in [0, 1], and outputs by name: see
    `mmzoo.models.registration_model`. As in training, an image comes to [0, 1] by its own minimum
    and maximum, or by the run's percentiles, before it is resampled: `mmzoo.Predictor` does so.

    Args:
        run: a log folder of deepreg_train (its last checkpoint), its name in logs/, a checkpoint
            LOG_FOLDER/save/ckpt-EPOCHS, or a preset of `mmzoo list presets`. Or a file `.keras`
            of `mmzoo export`, of which only the weights are taken: one that names other classes
            than Keras's and the zoo's, or holds a Lambda, is refused, and so are SavedModels and
            HDF5 files, which may run anything.
        image_size: (dim1, dim2, dim3) of the images; None for any size that the network takes, a
            network of DeepReg's own: for that of the training.
        translated: have the image of the generator of a `deform-gan` too.
        trust: load a file though it may run code of its own; for files from people you trust.

    Raises:
        ValueError: a file that may run code, no such run, a method that is not the zoo's, a size
            that the network does not take, or `translated` of another method than deform-gan.
        ImportError: the network is DeepReg's own, and DeepReg is not installed, or this program
            runs Keras 3.
    """
    if not isinstance(run, TrainedRun) and is_exported(Path(run).expanduser()):
        return load_exported(Path(run).expanduser(), trust=trust)
    run = run if isinstance(run, TrainedRun) else open_run(run)
    if translated and run.method != "deform-gan":
        raise PreflightError(
            f"`translated` is what deform-gan makes, and {run.checkpoint} is of method "
            f"{run.method!r}; leave it out."
        )
    if not is_of_zoo(run):
        return plain_model(build_method(run), image_size, translated=translated)
    return zoo_model(run, image_size, translated=translated)


def is_of_zoo(run: TrainedRun) -> bool:
    """Say whether method and network of a run are the zoo's own, which need no DeepReg."""
    names = {(row.category, row.name) for row in PLUGINS}
    parts = ("model_class", run.method), ("backbone_class", run.config["train"]["backbone"]["name"])
    return names.issuperset(parts)


def zoo_model(
    run: TrainedRun, image_size: Sequence[int] | None = None, *, translated: bool = False
):
    """Return the plain Keras model of a run that `is_of_zoo`; see `load_model`."""
    from mmzoo.deepreg import presets
    from mmzoo.inference import weights
    from mmzoo.models import registration_model

    network = build_network(run, image_size)
    generator = _build_generator(run) if translated else None
    signed = run.method == "deform-gan"
    model = registration_model(network, image_size, signed=signed, generator=generator)
    if run.checkpoint.endswith(presets.ENDING):
        presets.set_weights(network, Path(run.checkpoint))
    else:
        weights.restore(network, run.checkpoint)
    if generator is not None:
        weights.restore(generator, run.checkpoint, weights.GENERATOR)
    return model


def build_network(run: TrainedRun, image_size: Sequence[int] | None = None):
    """Return the network of a run that `is_of_zoo`, without its weights."""
    settings = dict(run.config["train"]["backbone"])
    name = settings.pop("name")
    (row,) = (row for row in PLUGINS if (row.category, row.name) == ("backbone_class", name))
    return pkgutil.resolve_name(row.target)(image_size=image_size, **{**OF_BACKBONE, **settings})


def _build_generator(run: TrainedRun):
    from mmzoo.networks.translation.table import GENERATORS, build_network

    settings = (run.config["train"].get("translator") or {}).get("generator") or {}
    return build_network(GENERATORS, "train.translator.generator", {"name": "unet", **settings})


def plain_model(method, image_size: Sequence[int] | None = None, *, translated: bool = False):
    """Return the plain Keras model of DeepReg's model; see `load_model` for the arguments.

    The networks of the zoo are made anew, with weights of their own.
    """
    from mmzoo.deepreg.methods.deform_gan import DeformGANModel
    from mmzoo.framework import keras
    from mmzoo.models import registration_model

    network = network_of(method)
    if keras.saving.get_registered_name(type(network)).startswith("mmzoo>"):
        settings = {**network.get_config(), "image_size": image_size}
        weights, network = network.get_weights(), type(network).from_config(settings)
    else:
        weights, image_size = None, _own_size(method, network, image_size)
    generator = method.translator.generator if translated else None
    signed = isinstance(method, DeformGANModel)
    model = registration_model(network, image_size, signed=signed, generator=generator)
    if weights is not None:
        network.set_weights(weights)
    return model


def _own_size(method, network, image_size) -> tuple[int, int, int]:
    """Return the size a network of DeepReg's was built for; PreflightError for another one."""
    own = tuple(method.fixed_image_size)
    if image_size is not None and tuple(image_size) != own:
        raise PreflightError(
            f"{type(network).__name__} is a network of DeepReg's own and takes images of {own}, "
            f"those of its training, got {tuple(image_size)}; leave the size out."
        )
    return own
