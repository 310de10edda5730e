# %% [markdown]
# # What a loss sees
#
# Two images of one brain, T1 and T2, lie exactly on each other. One of them is shifted, then
# turned, step by step, and three losses of the zoo look on: SEGI (edges), mutual information,
# MIND-SSC (patches that resemble each other). A loss that is of use is lowest where the images
# fit, and falls towards there from far away.

# %%
import subprocess

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np

import mmzoo
from mmzoo.spatial.view import frame_slice, planes_through, show_slice

size = ["56", "64", "48"]
command = ["mmzoo", "phantom", "brain", "--motion", "0", "--cases", "2", "--folds", "2"]
_ = subprocess.run(
    [*command, "--valid", "0", "--size", *size, "--out", "aligned_brains"], check=True
)


def read(name):
    image = nib.load(f"aligned_brains/images/{name}.nii.gz")
    voxels = image.get_fdata(dtype=np.float32)
    return voxels / voxels.max(), image.header.get_zooms()


moving, spacing = read("t1_000")
fixed, _ = read("t2_000")
axial, _, _ = planes_through(np.array(fixed.shape) // 2, fixed.shape, spacing)
fig, axes = plt.subplots(1, 2, figsize=(6, 3))
for ax, volume, title in zip(axes, (moving, fixed), ("T1", "T2"), strict=True):
    show_slice(ax, axial, axial.slice(volume))
    frame_slice(ax, axial)  # the patient's right is on the left
    ax.set_title(title)
plt.show()

# %% [markdown]
# A displacement field says for each voxel of the fixed image where to look in the moving one.
# That of a shift is the same everywhere; that of a turn is (R - I) x, about the middle.

# %%
warp = mmzoo.layers.Warp()
grid = np.stack(np.meshgrid(*map(np.arange, fixed.shape), indexing="ij"), axis=-1)
from_middle = (grid - (np.array(fixed.shape) - 1) / 2) * spacing  # mm


def shifted(mm):
    return np.broadcast_to([mm / spacing[0], 0, 0], grid.shape)


def turned(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotation = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return (from_middle @ (rotation - np.eye(3)).T) / spacing


losses = {
    "SEGI": lambda f, w: mmzoo.losses.segi(f, w, eps=1e-2),
    "MI": mmzoo.losses.mi,
    "MIND-SSC": mmzoo.losses.mind_ssc,
}


def landscape(field, steps):
    values = {name: [] for name in losses}
    for step in steps:
        warped = warp([moving[None], field(step)[None].astype("float32")])
        for name, loss in losses.items():
            values[name].append(float(loss(fixed[None], warped)[0]))
    return values


# %%
steps = np.linspace(-24, 24, 33)
fig, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True)
for ax, field, unit in ((axes[0], shifted, "mm"), (axes[1], turned, "degrees")):
    for name, values in landscape(field, steps).items():
        low, high = min(values), max(values)
        ax.plot(steps, (np.array(values) - low) / (high - low), label=name)
        print(f"{name}: lowest at {steps[int(np.argmin(values))]:g} {unit}")
    ax.set_xlabel(unit)
axes[0].set_ylabel("loss, from its lowest to its highest")
axes[0].legend()
plt.show()

# %% [markdown]
# Mutual information and MIND-SSC are lowest where the images fit, SEGI one step of this plot
# beside it (1.5 mm, half a voxel; 1.5 degrees). How wide the valley is says from how far a
# registration finds it by going downhill: beyond it a linear stage with many starts, as that of
# `mmzoo register`, is needed. How sharp it is says how exactly it can end.
