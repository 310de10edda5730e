"""Checks of a configuration before any work starts."""

import copy
import inspect

from mmzoo.checks import check_choice, check_number, not_taken, reason_of
from mmzoo.deepreg import schema
from mmzoo.deepreg.preflight.data import IMAGES, MODES
from mmzoo.errors import PreflightError

SHORTEST = {"bending": 5, "bending-energy": 3, "gradient": 3}  # voxels that a stencil covers
NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def check_names(config: dict) -> None:
    """Raise PreflightError where a method, network, loss or optimizer is not known.

    Args:
        config: the configuration as merged from its files, in DeepReg's current form.
    """
    train = config["train"]
    check_model(train)
    augmentations = train["preprocess"].get("data_augmentation") or []
    for settings in [augmentations] if isinstance(augmentations, dict) else augmentations:
        name = settings.get("name")
        _check_name("train.preprocess.data_augmentation.name", name, "da_class")
        _check_settings("train.preprocess.data_augmentation", settings, "da_class")
    _check_optimizer(train["optimizer"])
    # A method checks its own sections.
    method_of(train).check_config(train)
    _check_seed(train.get("seed"))


def check_keys(config: dict, *, partial: bool = False) -> None:
    """Raise PreflightError for unknown keys and values of another type; see `schema.check_keys`."""
    train = config.get("train")
    method = train.get("method") if isinstance(train, dict) else None
    others = isinstance(method, str) and not _is_known(method)
    schema.check_keys(config, others=others, partial=partial)


def _is_known(method: str) -> bool:
    """Whether the keys of a method are known: the zoo's or DeepReg's methods, or unknown names."""
    from deepreg.registry import REGISTRY

    if ("model_class", method) not in REGISTRY._dict:
        return True
    return registered("model_class", method).__module__.split(".")[0] in ("mmzoo", "deepreg")


def check_model(train: dict) -> None:
    """Raise PreflightError where a method, network or loss, or a setting of theirs, is not known.

    Args:
        train: the section of that name.
    """
    _check_name("train.method", train["method"], "model_class")
    _check_name("train.backbone.name", train["backbone"].get("name"), "backbone_class")
    _check_settings("train.backbone", train["backbone"], "backbone_class")
    # Keys of a loss section that the method reads, not the loss.
    own = method_of(train).loss_settings
    for section, settings in train["loss"].items():
        if isinstance(settings, dict) and "name" in settings:
            _check_name(f"train.loss.{section}.name", settings["name"], "loss_class")
            _check_settings(f"train.loss.{section}", settings, "loss_class", ("weight", *own))


def check_sections(config: dict) -> None:
    """Raise PreflightError unless every section that DeepReg reads is there.

    Args:
        config: the configuration as merged from its files.
    """
    is_old = "model" in (config.get("train") or {})  # DeepReg 0.1.1 nested these a level deeper
    model = () if is_old else ("train.method", "train.backbone")
    wanted = [
        *(f"dataset.{key}" for key in ("dir", "format", "type", "labeled")),
        *(f"train.{key}" for key in ("loss", "preprocess", "optimizer", "epochs", "save_period")),
        *model,
    ]
    missing = [name for name in wanted if not _has(config, *name.split("."))]
    if missing:
        raise PreflightError(
            f"The configuration lacks {', '.join(missing)}. Give all files after -c: later ones "
            "add to and overwrite earlier ones."
        )
    check_choice("dataset.type", config["dataset"]["type"], IMAGES)
    check_choice("dataset.format", config["dataset"]["format"], ("nifti", "h5"))
    missing = [mode for mode in MODES if mode not in (config["dataset"]["dir"] or {})]
    if missing:
        raise PreflightError(
            f"`dataset.dir` lacks {', '.join(missing)}; write null for a split without data."
        )


def _has(config: dict, section: str, key: str) -> bool:
    """Whether config[section][key] exists."""
    return isinstance(config.get(section), dict) and key in config[section]


def _check_name(where: str, name, category: str) -> None:
    """Raise PreflightError unless DeepReg's registry knows the name."""
    from deepreg.registry import REGISTRY

    known = [key for known_category, key in REGISTRY._dict if known_category == category]
    check_choice(where, name, known)


def registered(category: str, name: str):
    """Return what DeepReg's registry holds under a name, a class in most cases."""
    from deepreg.registry import REGISTRY

    known = REGISTRY.get(category, name)
    return getattr(known, "func", known)


def method_of(train: dict):
    """Return the class of `train.method`, or the zoo's `Method` for methods of other packages.

    Args:
        train: the section of that name.

    Returns:
        A class that has the hooks of `mmzoo.deepreg.methods.base.Method`.
    """
    from mmzoo.deepreg.methods.base import hooks_of

    return hooks_of(registered("model_class", train["method"]))


def _check_settings(where: str, settings: dict, category: str, others: tuple = ()) -> None:
    """Raise PreflightError where a section has a key that its class does not take.

    Args:
        where: the section.
        settings: its contents, with the class's name.
        category: of the registry.
        others: keys that are not for the class.
    """
    taken = parameters_of(registered(category, settings["name"]))
    for key in settings if taken else ():
        if key not in ("name", *others, *taken):
            message = not_taken(f"`{where}`", key, taken, f"{settings['name']} does not take")
            raise PreflightError(f"{message} Files after -c add to each other, key by key.")


def parameters_of(cls) -> list[str]:
    """Return the names of a class's arguments, own ones first; empty if they are unknown.

    For a class that passes **kwargs on, those of its base classes are added.
    """
    names: list[str] = []
    for base in getattr(cls, "__mro__", ()):
        if base.__module__.startswith(("tf_keras", "keras")):
            return [*names, "name"]
        own = inspect.signature(base.__init__).parameters if "__init__" in vars(base) else {}
        kinds = {parameter.kind for parameter in own.values()}
        names += [
            name for name, parameter in own.items() if name != "self" and parameter.kind in NAMED
        ]
        if own and inspect.Parameter.VAR_KEYWORD not in kinds:
            return list(dict.fromkeys(names))
    return []


def _check_optimizer(settings: dict) -> None:
    """Raise PreflightError unless Keras has an optimizer of this name."""
    from mmzoo.framework import keras

    base = keras.optimizers.Optimizer
    known = [
        name
        for name, cls in vars(keras.optimizers).items()
        if isinstance(cls, type) and issubclass(cls, base) and cls is not base
    ]
    if settings["name"] not in known:
        check_choice("train.optimizer.name", settings["name"], known)
    _check_optimizer_settings(vars(keras.optimizers)[settings["name"]], settings)


def _check_optimizer_settings(cls, settings: dict) -> None:
    """Raise PreflightError where Keras's optimizer does not take its settings."""
    from deepreg.model.optimizer import build_optimizer

    parameters = inspect.signature(cls).parameters
    taken = [name for name in parameters if name not in ("name", "kwargs")]
    taken += ["clipnorm", "clipvalue", "global_clipnorm", "weight_decay"]
    for key, value in settings.items():
        default = parameters[key].default if key in parameters else None
        if type(default) in (int, float) and key != "learning_rate":
            check_number(f"train.optimizer.{key}", value)
        if key not in ("name", *taken):
            why = f"{settings['name']} does not take"
            raise PreflightError(not_taken("`train.optimizer`", key, taken, why))
    try:
        build_optimizer(copy.deepcopy(settings))
    # Keras raises many types for unfit values.
    except Exception as error:
        raise PreflightError(f"`train.optimizer` cannot be made: {reason_of(error, 0)}.") from error


def _check_seed(seed) -> None:
    """Raise PreflightError unless the seed is absent or one that all generators take."""
    is_integer = isinstance(seed, int) and not isinstance(seed, bool)
    if seed is not None and not (is_integer and 0 <= seed < 2**32):
        raise PreflightError(
            f"`train.seed` must be an integer from 0 to {2**32 - 1}, got {seed!r}; leave it out "
            "to draw anew in each run."
        )


def check_labelled(config: dict) -> None:
    """Raise PreflightError where a method's loss needs labels and the training data have none.

    Args:
        config: of a training. A prediction needs no labels, whatever was trained.
    """
    train = config["train"]
    sections = method_of(train).needs_labels
    weights = {
        name: train["loss"][name].get("weight", 1) for name in sections if name in train["loss"]
    }
    used = [f"train.loss.{name}" for name, weight in weights.items() if weight != 0]
    if used and not config["dataset"]["labeled"]:
        raise PreflightError(
            f"{' and '.join(used)} of {train['method']} cannot be had without labels, and "
            "`dataset.labeled` is false. Add labels to the training data, or give "
            f"{'these' if len(used) > 1 else 'this'} the weight 0."
        )


def check_field_size(config: dict) -> None:
    """Raise PreflightError where a field is smaller than its regulariser's stencil.

    DeepReg's losses are NaN then, from the first step.

    Args:
        config: of a training; the field has the shape of the patches, else of the fixed images.
    """
    train, dataset = config["train"], config["dataset"]
    loss = train["loss"].get("regularization") or {}
    wanted = SHORTEST.get(loss.get("name", ""), 1)
    whole = dataset.get("fixed_image_shape") or dataset.get("image_shape") or ()
    shape = train["preprocess"].get("patch_size") or whole
    if loss.get("weight", 1) != 0 and any(n < wanted for n in shape):
        raise PreflightError(
            f"`train.loss.regularization` {loss['name']} needs fields of at least {wanted} voxels "
            f"an axis, got {list(shape)}: make the images larger, or give it the weight 0."
        )
