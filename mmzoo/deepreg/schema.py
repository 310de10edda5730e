"""The schema of configurations: every key of DeepReg and the zoo, and its allowed values.

`check_keys` reports misspelt keys and wrong types before any work starts; `rows` is the table that
`mmzoo list keys` and `docs/training.md` show. What is below `backbone`, the sections of `loss` and
`data_augmentation` belongs to the classes that they name, which `preflight` asks.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmzoo.checks import not_taken
from mmzoo.errors import PreflightError

Count = Annotated[int, Field(ge=1)]
Size = Annotated[list[Count], Field(min_length=3, max_length=3)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _key(says: str, *default: Any) -> Any:
    """Return a field; what it says begins with what the value must be."""
    return Field(*(default or (None,)), description=says)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Folders(_Section):
    """`dataset.dir`: where the pairs of each split are."""

    train: str | list[str] | None = _key("a folder, a list of folders, or null: to train on")
    valid: str | list[str] | None = _key("a folder, a list of folders, or null: to validate on")
    test: str | list[str] | None = _key("a folder, a list of folders, or null: to predict")


class Dataset(_Section):
    """`dataset`: which images."""

    dir: Folders = _key("a section with train, valid and test: folders of each split", ...)
    format: Literal["nifti", "h5"] = _key("nifti or h5: of the files", ...)
    type: Literal["paired", "unpaired", "grouped"] = _key(
        "paired, unpaired or grouped: how files become pairs", ...
    )
    labeled: bool = _key("true or false: whether there are labels", ...)
    moving_image_shape: Size = _key("three whole numbers: voxels, paired data are brought to it")
    fixed_image_shape: Size = _key("three whole numbers: voxels, paired data are brought to it")
    image_shape: Size = _key("three whole numbers: voxels, unpaired and grouped data")
    intra_group_prob: Annotated[float, Field(ge=0, le=1)] = _key(
        "a number from 0 to 1: grouped data, pairs within one group"
    )
    intra_group_option: Literal["forward", "backward", "unconstrained"] = _key(
        "forward, backward or unconstrained: grouped data, order within one group"
    )
    sample_image_in_group: bool = _key("true or false: grouped data, one image a group and epoch")


class Loss(BaseModel):
    """A section of `train.loss`; what is not named here is of the loss's class."""

    model_config = ConfigDict(extra="allow", strict=True)

    name: str = _key("a name of `mmzoo list losses`")
    weight: Number = _key("a number: what the loss is multiplied by, 0 to leave it out")


class Preprocess(_Section):
    """`train.preprocess`: how images become batches."""

    batch_size: Count = _key("a whole number above 0: pairs a step", ...)
    shuffle_buffer_num_batch: Annotated[int, Field(ge=0)] = _key(
        "a whole number of 0 or more: batches that pairs are shuffled among"
    )
    data_augmentation: dict | list[dict] | None = _key(
        "a section with the name of an augmentation, a list of such, or null for none"
    )
    patch_size: Any = _key("three whole numbers: voxels of the patches that are cut out")
    percentiles: Any = _key("two numbers from 0 to 100: what becomes 0 and 1 in each image")


class Optimizer(BaseModel):
    """`train.optimizer`; what is not named here is of Keras's class."""

    model_config = ConfigDict(extra="allow", strict=True)

    name: str = _key("the name of an optimizer of Keras", ...)
    learning_rate: Rate | dict = _key("a number above 0, or a schedule in Keras's form")


class Train(_Section):
    """`train`: what is trained, and how."""

    method: str = _key("a name of `mmzoo list methods`", ...)
    backbone: dict = _key("a section: the network's name and settings", ...)
    loss: dict[str, Loss] = _key("sections with a name and a weight each", ...)
    preprocess: Preprocess = _key("a section: how images become batches", ...)
    optimizer: Optimizer = _key("a section: the optimizer's name and settings", ...)
    epochs: Count = _key("a whole number above 0: epochs in all", ...)
    save_period: Count = _key("a whole number above 0: epochs from one checkpoint to the next", ...)
    steps_per_epoch: Any = _key("a whole number above 0: steps of an epoch [all pairs once]")
    seed: Any = _key("a whole number of 0 or more: for equal trainings [drawn anew]")
    mixed_precision: Any = _key("true or false: compute in bfloat16 [false]")
    jit_compile: Any = _key("true, false or auto: XLA compiles the step [false]")
    initial_weights: Any = _key("a name of `mmzoo list presets`: begin with its weights [none]")
    translator: dict = _key("a section: translator of deform-gan")


class Predict(_Section):
    """`predict`: what deepreg_predict does."""

    interpolation: Any = _key("linear or cubic-bspline: how images are sampled [linear]")


class Configuration(_Section):
    """A whole configuration, all files merged."""

    dataset: Dataset = _key("a section: which images", ...)
    train: Train = _key("a section: what is trained, and how", ...)
    predict: Predict | None = _key("a section: what deepreg_predict does")
    baseline: dict = _key("a section: for mmzoo baseline alone")


def check_keys(config: dict, *, others: bool = False, partial: bool = False) -> None:
    """Raise PreflightError where a key is unknown or a value is of another type.

    Args:
        config: in DeepReg's current form.
        others: whether `train` may have keys that are not named here, as those of a method of the
            user's own.
        partial: whether keys may be missing.
    """
    for place, value in _values(config):
        _check_value(place, value)
    try:
        Configuration.model_validate(config)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            place, unknown = _place(config, found), found["type"] == "extra_forbidden"
            if partial and found["type"] == "missing":
                continue
            if unknown and others and len(place) == 2 and place[0] == "train":
                continue
            raise PreflightError(_unknown(place) if unknown else _wrong(place, found)) from None


def read_written(path: Path) -> dict:
    """Return the config.yaml that a training has written.

    Raises:
        PreflightError: it is damaged; says how it is made again.
    """
    try:
        config = yaml.safe_load(path.read_text())
        whole = isinstance(config["train"]["method"], str) and bool(config["dataset"]["type"])
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        whole = False
    if not whole:
        raise PreflightError(
            f"{path} is empty or damaged, and with it what its checkpoints are. Give the command "
            "of the training again: it writes the file anew and goes on where it was, or has "
            "nothing left to do."
        )
    return config


def rows() -> list[tuple[str, str]]:
    """Return every key, dotted, and what it must be."""
    return list(_rows(Configuration, ""))


def _rows(section: type[BaseModel], prefix: str) -> Iterator[tuple[str, str]]:
    for name, field in section.model_fields.items():
        yield f"{prefix}{name}", field.description or ""
        inner = _section_of(field.annotation)
        if inner is not None:
            star = "NAME." if inner is Loss else ""
            yield from _rows(inner, f"{prefix}{name}.{star}")


def _section_of(annotation: Any) -> type[BaseModel] | None:
    """Return the section that a field holds, if it holds one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        if found := _section_of(part):
            return found
    return None


def _values(node: Any, place: tuple = ()) -> Iterator[tuple[tuple, Any]]:
    """Yield every value of a configuration that is no section, with its keys."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _values(value, (*place, key))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _values(value, (*place, number))
    else:
        yield place, node


def _check_value(place: tuple, value: Any) -> None:
    """Raise PreflightError for NaN, and for text in the place of a number."""
    name = ".".join(map(str, place))
    if isinstance(value, float) and not math.isfinite(value):
        raise PreflightError(f"`{name}` must be a finite number, got {value}.")
    if not isinstance(value, str) or place[0] == "dataset":
        return
    if re.fullmatch(r"[+-]?\d+[eE][+-]?\d+", value):
        mantissa, _, exponent = value.lower().partition("e")
        raise PreflightError(
            f"`{name}` must be a number, but YAML reads {value} as text; write "
            f"{mantissa}.0e{exponent if exponent[0] in '+-' else '+' + exponent}."
        )
    if re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", value):
        raise PreflightError(
            f"`{name}` must be a number, got the text {value!r}; take the quotes away."
        )


def _place(config: dict, found: Any) -> tuple:
    """Return where pydantic found something, without the names of the types that it tried."""
    place: list = []
    node: Any = config
    for key in found["loc"]:
        if (isinstance(node, dict) and key in node) or (
            isinstance(node, list) and isinstance(key, int)
        ):
            place.append(key)
            node = node[key]
    return (*place, found["loc"][-1]) if found["type"] == "missing" else tuple(place)


def _unknown(place: tuple) -> str:
    *outer, key = map(str, place)
    section: type[BaseModel] | None = Configuration
    for name in outer:
        field = section.model_fields.get(name) if section else None
        section = _section_of(field.annotation) if field else section
    taken = list(section.model_fields) if section else []
    where = f"`{'.'.join(outer)}`" if outer else "The configuration"
    return not_taken(where, key, taken, "is no key of it")


def _wrong(place: tuple, found: Any) -> str:
    table = dict(rows())
    name = ".".join(map(str, place))
    wanted = ""
    for end in range(len(place), 0, -1):  # an entry of a list is named as the list
        outer = ".".join(map(str, place[:end]))
        outer = re.sub(r"^train\.loss\.[^.]+\.", "train.loss.NAME.", outer)
        if outer in table and not wanted:
            wanted = table[outer]
    if found["type"] == "missing":
        return f"The configuration lacks `{name}`: {wanted}."
    got = repr(found["input"])
    return f"`{name}` must be {wanted or found['msg']}, got {got if len(got) < 80 else got[:77]}."
