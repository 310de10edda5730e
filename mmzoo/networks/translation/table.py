"""The networks that a translator can be made of, by the name that a configuration uses.

A new one is a file with a Keras model and a row here; a program may add a row of its own. A
generator maps (batch, dim1, dim2, dim3, 1) to the same shape, in [-1, 1]; a discriminator maps
(batch, dim1, dim2, dim3, 1 or 2) to logits (batch, ...). New objectives: `OBJECTIVES`.
"""

from collections.abc import Callable

from mmzoo.checks import check_choice
from mmzoo.framework import keras
from mmzoo.networks.translation.discriminator import StridedDiscriminator
from mmzoo.networks.translation.generator import UNetGenerator

GENERATORS: dict[str, Callable] = {"unet": UNetGenerator}
DISCRIMINATORS: dict[str, Callable] = {"strided": StridedDiscriminator}


def build_network(table: dict[str, Callable], section: str, settings: dict) -> keras.Model:
    """Return a network of a table by the settings of a configuration, its `name` among them.

    Args:
        table: `GENERATORS` or `DISCRIMINATORS`.
        section: where the settings stand, for messages.
        settings: `name` and what the network takes.

    Raises:
        ValueError: an unknown name, or a setting that the network does not take.
    """
    settings = dict(settings)
    name = settings.pop("name")
    check_choice(f"{section}.name", name, table)
    try:
        return table[name](**settings)
    except (TypeError, ValueError) as error:  # of Python, or of Keras 3
        raise ValueError(f"`{section}` has a setting that {name} does not take: {error}.") from None
