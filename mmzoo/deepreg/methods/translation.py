"""The translator of the method `deform-gan`, from `train.translator` of a configuration.

    generator:      {name: unet}                                        see GENERATORS
    discriminator:  {name: strided}                                     see DISCRIMINATORS
    adversarial:    {name: cross-entropy, weight: 1, conditional: false} see OBJECTIVES
    l1:             {weight: 100}                                       lambda of Eq. 8
    constraint:     {name: local-gradient, weight: 5}                   mu of Eq. 8
    generator_optimizer, discriminator_optimizer: as `train.optimizer`, which they follow
    save_translated: false                                              for deepreg_predict

Keys that are left out have the values above. A conditional discriminator needs aligned pairs, see
`check_translator`.
"""

from collections.abc import Iterable

from deepreg.registry import LOSS_CLASS, REGISTRY

from mmzoo.checks import check_choice
from mmzoo.deepreg.methods.terms import build_loss
from mmzoo.layers.precision import policy_of_networks
from mmzoo.networks.translation import DISCRIMINATORS, GENERATORS, OBJECTIVES, Translator
from mmzoo.networks.translation.table import build_network

DEFAULTS: dict[str, dict] = {
    "generator": {"name": "unet"},
    "discriminator": {"name": "strided"},
    "adversarial": {"name": "cross-entropy", "weight": 1.0, "conditional": False},
    "l1": {"weight": 100.0},
    "constraint": {"name": "local-gradient", "weight": 5.0},
}
OTHERS = ("generator_optimizer", "discriminator_optimizer", "save_translated")
CLOSED = ("adversarial", "l1")  # sections whose keys are all in DEFAULTS


def read_translator(train: dict) -> dict:
    """Return `train.translator` with what is left out filled in.

    Args:
        train: the section of that name.

    Raises:
        ValueError: an unknown key or name, with the closest one.
    """
    given = train.get("translator") or {}
    for key in given:
        check_choice("a key of train.translator", key, (*DEFAULTS, *OTHERS))
    for section in CLOSED:
        for key in given.get(section) or {}:
            check_choice(f"a key of train.translator.{section}", key, DEFAULTS[section])
    filled = {
        section: {**default, **(given.get(section) or {})} for section, default in DEFAULTS.items()
    }
    losses = [name for category, name in REGISTRY._dict if category == LOSS_CLASS]
    known: dict[str, Iterable[str]] = {
        "generator": GENERATORS,
        "discriminator": DISCRIMINATORS,
        "adversarial": OBJECTIVES,
        "constraint": losses,
    }
    for section, names in known.items():
        check_choice(f"train.translator.{section}.name", filled[section]["name"], names)
    return {**given, **filled}


def check_translator(train: dict) -> None:
    """Check `train.translator`, and that a conditional discriminator gets an aligned pair.

    Otherwise it could tell (R, F) from (G(F o phi), F o phi) by the misalignment of R and F alone;
    its real pair is R with the moving image before `random-deformation`.

    Args:
        train: the section of that name.

    Raises:
        ValueError: as `read_translator`; or no image is aligned.
    """
    settings = read_translator(train)
    if not settings["adversarial"]["conditional"]:
        return
    augmentation = train["preprocess"].get("data_augmentation")
    chain = augmentation if isinstance(augmentation, list) else [augmentation or {}]
    names = [entry.get("name") for entry in chain]
    if names != ["random-deformation"] or not chain[0].get("keep_undeformed"):
        raise ValueError(
            "`train.translator.adversarial.conditional: true` wants aligned pairs: the "
            "discriminator sees the fixed image beside the moving one before its deformation. Let "
            "`train.preprocess.data_augmentation` be `random-deformation` alone with "
            "`keep_undeformed: true`, on data whose pairs are aligned, or leave `conditional` "
            "false."
        )


def build_translator(settings: dict, image_size) -> Translator:
    """Build the translator from `read_translator`'s settings, with its weights.

    Args:
        settings: all sections of the module's docstring.
        image_size: (dim1, dim2, dim3).

    Raises:
        ValueError: a setting that a network does not take, or is out of its range.
    """
    mu, constraint = build_loss("constraint", settings["constraint"])
    adversarial = settings["adversarial"]
    tables = (("generator", GENERATORS), ("discriminator", DISCRIMINATORS))
    with policy_of_networks():
        networks = {
            section: build_network(table, f"train.translator.{section}", settings[section])
            for section, table in tables
        }
    translator = Translator(
        **networks,
        objective=adversarial["name"],
        conditional=adversarial["conditional"],
        adversarial_weight=adversarial["weight"],
        l1_weight=settings["l1"]["weight"],
        constraint=constraint,
        constraint_weight=mu,
    )
    translator.build_networks(image_size)
    return translator
