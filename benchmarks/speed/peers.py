"""The forms in PyTorch: MONAI's and ConvexAdam's.

Each needs torch and its own package alone, in whatever environment has them.
"""

from collections.abc import Callable

import torch


def _monai(name: str, **settings) -> Callable:
    def form():
        from monai import losses

        return getattr(losses, name)(**settings)

    return form


def _warp():
    from monai.networks.blocks import Warp

    return Warp(mode="bilinear", padding_mode="border")


def _mutual_information(bins: int) -> Callable:
    return _monai("GlobalMutualInformationLoss", kernel_type="gaussian", num_bins=bins)


def _mind_ssc():
    from convexAdam.convex_adam_utils import MINDSSC

    def form(fixed, warped):
        first, second = (
            MINDSSC(volume, radius=1, dilation=2, device=volume.device)
            for volume in (fixed, warped)
        )
        return 12 * ((first - second) ** 2).mean()

    return form


PEERS = {
    "warp": _warp,
    "lncc": _monai("LocalNormalizedCrossCorrelationLoss", spatial_dims=3, kernel_size=9),
    "bending": _monai("BendingEnergyLoss"),
    "gradient": _monai("DiffusionLoss"),
    "diffusion": _monai("DiffusionLoss"),
    "mind-ssc": _mind_ssc,
    "gmi": _mutual_information(23),
    "mi24": _mutual_information(24),
    "mi64": _mutual_information(64),
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
    form = PEERS[name]()
    if isinstance(form, torch.nn.Module):
        form = form.to(device)

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
