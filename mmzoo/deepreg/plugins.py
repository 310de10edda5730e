"""The table of plugins: names that a DeepReg configuration may use, and their classes."""

import functools
import pkgutil
from typing import NamedTuple


class Plugin(NamedTuple):
    """A row of the table: DeepReg's category, the name in YAML, the class, its source."""

    category: str
    name: str
    target: str
    source: str


# Defaults of `train.backbone`, as in DeepReg.
OF_BACKBONE = {"out_channels": 3, "out_kernel_initializer": "zeros", "out_activation": None}

DING = "Ding 2021"
DE_VOS = "de Vos 2020"
VAN_ULSEN = "van Ulsen 2022"
HOFFMANN = "Hoffmann 2022 (SynthMorph)"
ZHANG = "Zhang 2020 (Deform-GAN)"

PLUGINS = (
    Plugin("loss_class", "segi", "mmzoo.losses.segi:SEGI", f"{DING} Eq. 4-8"),
    Plugin("loss_class", "cycle", "mmzoo.losses.cycle:CycleConsistency", f"{DING} Eq. 9"),
    Plugin(
        "loss_class",
        "bending-energy",
        "mmzoo.losses.bending:BendingEnergy",
        f"{DING} Eq. 10, with compact stencils",
    ),
    Plugin("loss_class", "nmi", "mmzoo.losses.nmi:NMI", f"{DE_VOS} Eq. 1"),
    Plugin("loss_class", "ncc", "mmzoo.losses.ncc:NCC", f"{DE_VOS}, one coefficient a volume"),
    Plugin(
        "loss_class",
        "mind-ssc",
        "mmzoo.losses.mind_ssc:MINDSSC",
        "Heinrich 2013, as in ConvexAdam (Siebert 2021)",
    ),
    Plugin("loss_class", "mi", "mmzoo.losses.mi:MI", f"{VAN_ULSEN} Eq. 3.5-3.10"),
    Plugin(
        "loss_class", "rigidity", "mmzoo.losses.rigidity:Rigidity", f"{VAN_ULSEN} Eq. 3.11-3.16"
    ),
    Plugin(
        "loss_class",
        "local-gradient",
        "mmzoo.losses.local_gradient:LocalGradient",
        f"{ZHANG} Eq. 1-3",
    ),
    Plugin(
        "loss_class",
        "local-correlation",
        "mmzoo.losses.local_correlation:LocalCorrelation",
        f"{ZHANG} Eq. 5, Balakrishnan 2019",
    ),
    Plugin("loss_class", "diffusion", "mmzoo.losses.diffusion:DiffusionEnergy", f"{ZHANG} Eq. 6"),
    Plugin(
        "backbone_class",
        "mmregnet",
        "mmzoo.networks.registration.mmregnet:MMRegNet",
        f"{DING} Eq. 1",
    ),
    Plugin(
        "backbone_class",
        "voxelmorph",
        "mmzoo.networks.registration.voxelmorph:VoxelMorph",
        "Balakrishnan 2019, as in Ding 2021 and de Vos 2020",
    ),
    Plugin(
        "backbone_class",
        "dirnet",
        "mmzoo.networks.registration.dirnet:DIRNet",
        f"{DE_VOS}, de Vos 2017 (PoolNet)",
    ),
    Plugin(
        "backbone_class",
        "additive-unet",
        "mmzoo.networks.registration.additive_unet:AdditiveUNet",
        f"{VAN_ULSEN} section 3.5",
    ),
    Plugin(
        "backbone_class",
        "deform-gan-unet",
        "mmzoo.networks.registration.deform_gan_unet:DeformGANUNet",
        f"{ZHANG} section 2.1",
    ),
    Plugin(
        "backbone_class",
        "synthmorph",
        "mmzoo.networks.registration.synthmorph:SynthMorph",
        f"{HOFFMANN}, smaller",
    ),
    Plugin(
        "backbone_class",
        "cost-volume",
        "mmzoo.networks.registration.cost_volume:CostVolumeNet",
        "Heinrich 2013 (MIND-SSC), Siebert 2021 (ConvexAdam), Hoffmann 2022",
    ),
    Plugin(
        "da_class",
        "random-deformation",
        "mmzoo.layers.deformation:RandomDeformation",
        f"{ZHANG} section 3.1",
    ),
    Plugin(
        "da_class",
        "random-contrast",
        "mmzoo.layers.contrast:RandomContrast",
        f"{HOFFMANN}, Billot 2023 (SynthSeg)",
    ),
    Plugin(
        "da_class",
        "random-shapes",
        "mmzoo.layers.shapes:RandomShapes",
        f"{HOFFMANN}, sm-shapes",
    ),
    Plugin(
        "da_class",
        "random-affine",
        "mmzoo.layers.augmentation:RandomAffine",
        "Hu 2018, as in the code of Ding 2021",
    ),
    Plugin(
        "model_class",
        "bidirectional-ddf",
        "mmzoo.deepreg.methods.bidirectional_ddf:BidirectionalDDFModel",
        f"{DING} Eq. 1-3, 9, 10",
    ),
    Plugin(
        "model_class",
        "bspline-ddf",
        "mmzoo.deepreg.methods.bspline_ddf:BSplineDDFModel",
        f"{DE_VOS}, de Vos 2017",
    ),
    Plugin(
        "model_class",
        "direct-ddf",
        "mmzoo.deepreg.methods.direct_ddf:DirectDDFModel",
        f"{DE_VOS}, the U-Net's dense field",
    ),
    Plugin(
        "model_class",
        "labels-ddf",
        "mmzoo.deepreg.methods.labels_ddf:LabelsDDFModel",
        f"{HOFFMANN} Eq. 4",
    ),
    Plugin(
        "model_class",
        "rigidity-ddf",
        "mmzoo.deepreg.methods.rigidity_ddf:RigidityDDFModel",
        f"{VAN_ULSEN} Eq. 4.7-4.10",
    ),
    Plugin(
        "model_class",
        "deform-gan",
        "mmzoo.deepreg.methods.deform_gan:DeformGANModel",
        f"{ZHANG} Eq. 4-8",
    ),
)


def register_plugins() -> None:
    """Enter every plugin into DeepReg's registry; a second call changes nothing.

    Raises:
        ValueError: DeepReg, or another extension, has another class under one of the names.
    """
    from deepreg.registry import LOSS_CLASS, REGISTRY

    from mmzoo.framework import keras

    for plugin in PLUGINS:
        cls = pkgutil.resolve_name(plugin.target)
        if REGISTRY.contains(plugin.category, plugin.name):
            known = REGISTRY.get(plugin.category, plugin.name)
            if getattr(known, "func", known) is cls:
                continue
        # DeepReg divides a similarity by the batch size, so it has to be a sum over the batch.
        is_sum = plugin.category == LOSS_CLASS and issubclass(cls, keras.losses.Loss)
        build = cls
        if is_sum:  # keeps the class's name and module, which DeepReg lists
            partial = functools.partial(cls, reduction="sum")
            build = functools.update_wrapper(partial, cls, updated=())
        REGISTRY.register(category=plugin.category, name=plugin.name, cls=build)
