"""The papers' networks, small and with random fields."""

import mmzoo

SMALL = {
    "mmregnet": {"num_channel_initial": 1},
    "voxelmorph": {"encoder": [2, 2], "decoder": [2] * 5},
    "dirnet": {"num_channels": 4, "grid_spacing": [4, 2, 8]},
    "additive_unet": {"num_channel_initial": 2},
    "deform_gan": {"num_channel_initial": 2, "depth": 1, "translated": True},
}


def small(name, image_size=None, **settings):
    settings = {**SMALL[name], "out_kernel_initializer": "glorot_uniform", **settings}
    return getattr(mmzoo.models, name)(image_size, **settings)
