"""Whole training steps: which configurations, in which forms."""

from pathlib import Path

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
UNET = Path(__file__).with_name("unet.yaml")
ALONE = "the same, ssd alone"  # next to no loss: the network's own time

STEPS = {  # title -> configuration; DeepReg's pieces are in those that have two forms
    "DeepReg's U-Net, lncc": UNET,
    ALONE: UNET.with_name("unet_alone.yaml"),
    "MMRegNet": CONFIGS / "mmregnet/mmregnet.yaml",
    "VM-NCC": CONFIGS / "mmregnet/vm_ncc.yaml",
    "de Vos, U-Net": CONFIGS / "devos_mi/unet_nmi.yaml",
    "de Vos, PoolNet": CONFIGS / "devos_mi/poolnet_nmi.yaml",
    "US": CONFIGS / "rigid_bones/us.yaml",
    "WS-RP": CONFIGS / "rigid_bones/ws_rp.yaml",
    "Deform-GAN": CONFIGS / "deform_gan/deform_gan_2.yaml",
}
FORMS = ("mmzoo", "DeepReg")  # with fast pieces, and with MMZOO_ACCELERATE=0
OLD = "TensorFlow 2.3.1"  # DeepReg's own, in Python 3.8: the first step alone
SIZES = ((64, 64, 64), (96, 96, 96))
