"""Weights for a network of this program's Keras, whichever Keras wrote them.

Keras 2 and Keras 3 number a network's variables and lay them out in files each in its own way. What
is the same in both is the network itself: its attributes, by which everything is found here.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import tensorflow as tf

from mmzoo.deepreg.checkpoints import check_whole
from mmzoo.errors import PreflightError
from mmzoo.framework import keras

NETWORK = "model/_model/layer_with_weights-0"  # where it is in a checkpoint of DeepReg
GENERATOR = "model/translator/generator"
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
OF_TRAINING = ("optimizer", "discriminator_optimizer", "trackers", "metrics")


# === Checkpoints ===


def restore(network, checkpoint: str, place: str = NETWORK) -> None:
    """Give a network its weights out of a checkpoint of `deepreg_train`.

    Args:
        network: whose variables exist.
        checkpoint: path without a file ending.
        place: of the network in it, `NETWORK` or `GENERATOR`.

    Raises:
        PreflightError: the checkpoint is damaged, or of another network.
    """
    check_whole(checkpoint)
    reader = tf.train.load_checkpoint(checkpoint)
    shapes = {
        name: tuple(shape)
        for name, shape in reader.get_variable_to_shape_map().items()
        if name.startswith(f"{place}/") and name.endswith(VALUE)
    }
    own = {id(variable): variable for variable in network.weights}
    at = {name: id(_at(network, name[len(place) + 1 : -len(VALUE)].split("/"))) for name in shapes}
    missing = len(own.keys() - set(at.values()))
    unknown = [name for name in shapes if at[name] not in own]
    known = [name for name in shapes if at[name] in own]
    other = [name for name in known if shapes[name] != tuple(own[at[name]].shape)]
    if missing or unknown or other:
        raise PreflightError(
            f"The checkpoint {checkpoint} is of another model: of the {len(own)} variables of "
            f"{type(network).__name__} it lacks {missing} and has {len(other)} in another shape, "
            f"and {len(unknown)} of its own are not in this network. Use it with the config.yaml "
            "in its log folder."
        )
    for name in known:
        own[at[name]].assign(reader.get_tensor(name))


def _at(node: Any, path: list[str]) -> Any:
    """Return what is at a path of attributes and indices; None if there is nothing."""
    for part in path:
        if part.isdigit():
            node = node[int(part)] if isinstance(node, (list, tuple)) else None
        else:
            node = getattr(node, part, None)
    return node


# === Files .keras ===


def load_from_file(model, path: Path, version: int) -> None:
    """Give a model its weights out of a file `.keras`.

    Args:
        model: of the zoo's classes, as the file says; its variables exist.
        path: the file.
        version: of the Keras that wrote it, 2 or 3.

    Raises:
        ValueError: the file holds other weights.
    """
    with zipfile.ZipFile(path) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content) as file:
        left = _arrays(file)
        for place, layer in _layers(model, "", version, set()):
            own: dict = {}
            layer.save_own_variables(own)
            if not own:
                continue
            group = f"{place}/vars/"
            values = {key: file[group + key][()] for key in own if group + key in left}
            if values.keys() != own.keys():
                raise ValueError(f"it lacks weights of {place}")
            layer.load_own_variables(values)
            left -= {group + key for key in values}
    if left:
        raise ValueError(f"it holds weights that the model does not have, such as {min(left)}")


def _arrays(file: h5py.File) -> set[str]:
    """Return the names of all arrays but those of training."""
    names: list[str] = []
    file.visit(names.append)
    arrays = {name for name in names if isinstance(file[name], h5py.Dataset)}
    return {name for name in arrays if name.split("/")[0] not in OF_TRAINING}


def _layers(layer, place: str, version: int, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Yield a layer and those within it, once each, with the place that Keras files them at.

    Keras goes through a layer's attributes by name, Keras 2 backwards, and files a layer where it
    meets it first. The list of a model's layers is such an attribute too.
    """
    if id(layer) in seen:
        return
    seen.add(id(layer))
    yield place, layer
    for name, value in _children(layer, version):
        within = f"{place}/{name}".strip("/")
        if not isinstance(value, list):
            yield from _layers(value, within, version, seen)
            continue
        counts: dict[str, int] = {}
        for item in value:
            if version == 2 and id(item) in seen:
                continue  # without counting it
            kind = _snake_case(type(item).__name__, version)
            counts[kind] = counts.get(kind, -1) + 1
            number = f"_{counts[kind]}" if counts[kind] else ""
            yield from _layers(item, f"{within}/{kind}{number}", version, seen)


def _children(layer, version: int) -> list[tuple[str, Any]]:
    """Return the attributes that are layers, or lists of them, in the order of a Keras."""
    found: dict[str, Any] = {}
    for name, value in vars(layer).items():
        if name.startswith("_"):
            continue
        if isinstance(value, keras.layers.Layer):
            found[name] = value
        elif isinstance(value, (list, tuple)):
            found[name] = [item for item in value if isinstance(item, keras.layers.Layer)]
    if isinstance(layer, keras.Model):
        found["layers"] = list(layer.layers)
    return sorted(found.items(), key=lambda item: item[0], reverse=version == 2)


def _snake_case(name: str, version: int) -> str:
    """Return the name of a class as Keras writes it in files."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    name = re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
    return f"private{name}" if version == 2 and name.startswith("_") else name
