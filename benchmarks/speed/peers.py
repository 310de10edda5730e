"""The forms in PyTorch: MONAI's. Needs torch and monai alone, in whatever environment has them."""

import torch
from monai.losses import (
    BendingEnergyLoss,
    DiffusionLoss,
    GlobalMutualInformationLoss,
    LocalNormalizedCrossCorrelationLoss,
)
from monai.networks.blocks import Warp


def _mutual_information(bins: int):
    return GlobalMutualInformationLoss(kernel_type="gaussian", num_bins=bins)


PEERS = {
    "warp": lambda: Warp(mode="bilinear", padding_mode="border"),
    "lncc": lambda: LocalNormalizedCrossCorrelationLoss(spatial_dims=3, kernel_size=9),
    "bending": BendingEnergyLoss,
    "gradient": DiffusionLoss,
    "diffusion": DiffusionLoss,
    "gmi": lambda: _mutual_information(23),
    "mi24": lambda: _mutual_information(24),
    "mi64": lambda: _mutual_information(64),
}


def prepare(name: str, arrays: dict, device: str = "cpu"):
    """Return the value, and the value with its gradient, of a piece as functions of nothing.

    Args:
        name: of the piece.
        arrays: its tensors by name, as `measure.inputs` makes them, the last is differentiated.
        device: of PyTorch.
    """
    tensors = [_channels_first(key, array).to(device) for key, array in arrays.items()]
    tensors[-1].requires_grad_(True)
    form = PEERS[name]().to(device)

    def value():
        with torch.no_grad():
            return form(*tensors).sum().item()

    def gradient():
        tensors[-1].grad = None
        total = form(*tensors).sum()
        total.backward()
        return total.item()

    return value, gradient


def _channels_first(key: str, array) -> torch.Tensor:
    tensor = torch.from_numpy(array)
    return tensor.permute(0, 4, 1, 2, 3).contiguous() if key == "ddf" else tensor[:, None]
