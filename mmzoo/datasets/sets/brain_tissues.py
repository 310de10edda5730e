"""Whole-head label maps with every tissue as a label: what random contrasts are painted from.

The folder of `brain-labels` (see mmzoo/datasets/sets/brain_labels.py), turned upright, on a box of
192 x 240 x 192 mm round the brain. Left and right are one label. The sixteen structures within the
brain come first, so that a loss can take these alone; then the head around it.
"""

import dataclasses

from mmzoo.datasets.sets import brain_labels


class SET(brain_labels.SET):
    """Label maps of heads in 21 labels: 16 of the brain and its fluid, 5 of the head around it."""

    title = "tissues of whole heads"
    structures = {
        "cerebral white matter": (2, 41, 25, 57, 77, 85),
        "cortex": (3, 42),
        "lateral ventricles": (4, 5, 43, 44, 31, 63, 136, 137, 163, 164),
        "thalamus": (10, 49),
        "caudate": (11, 50),
        "putamen": (12, 51),
        "pallidum": (13, 52),
        "hippocampus": (17, 53),
        "amygdala": (18, 54),
        "accumbens": (26, 58),
        "ventral diencephalon": (28, 60),
        "third and fourth ventricle": (14, 15, 72),
        "fluid": (24, 30, 62),
        "cerebellar white matter": (7, 46),
        "cerebellar cortex": (8, 47),
        "brain stem": (16,),
        "soft tissue": (502, 507, 508, 509, 512, 514, 530),
        "eyes": (506,),
        "skin and fat": (511,),
        "cortical bone": (515,),
        "marrow": (516,),
    }
    wanted = tuple(structures)
    moving = fixed = "t1"
    recipe = dataclasses.replace(
        brain_labels.SET.recipe,
        size=(64, 80, 64),
        spacing=(3.0, 3.0, 3.0),
        around=("cerebral white matter", "cortex", "cerebellar cortex", "brain stem"),
    )
    split = (12, 2, 2)

    def recognise(self, root) -> bool:
        """Return False: such a folder is said to be `brain-labels`."""
        return False
