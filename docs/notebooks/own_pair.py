# %% [markdown]
# # One pair of your own
#
# Two images are read, aligned and looked at, all in Python. The phantom's T1 and T2 images stand
# for your own: put the names of your files in their place.

# %%
import subprocess

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np

import mmzoo
from mmzoo.spatial.view import frame_slice, planes_through, show_slice

size = ["56", "64", "48"]
command = ["mmzoo", "phantom", "brain", "--cases", "2", "--folds", "2", "--valid", "0"]
_ = subprocess.run([*command, "--size", *size, "--out", "brains"], check=True)
fixed = "brains/images/t2_000.nii.gz"
moving = "brains/images/t1_000.nii.gz"

# %% [markdown]
# `mmzoo.register` takes what the command takes, under the same names.

# %%
registration = mmzoo.register(fixed, moving)
registration.save("registered")

# %% [markdown]
# Before and after as a checkerboard: its fields come from the fixed and the moving image in turn,
# and edges go on from field to field where the images fit.


# %%
def volume(path):
    voxels = nib.load(path).get_fdata()
    return voxels / voxels.max()


def show_middle(ax, voxels, spacing):
    """Draw the middle axial slice; the patient's right is on the left."""
    axial, _, _ = planes_through(np.array(voxels.shape) // 2, voxels.shape, spacing)
    show_slice(ax, axial, axial.slice(voxels))
    frame_slice(ax, axial)


def checkerboard(one, other, cells=8):
    cell = max(one.shape[0] // cells, 1)
    i, j = np.indices(one.shape[:2]) // cell
    return np.where((i + j)[..., None] % 2 == 0, one, other)


spacing = nib.load(fixed).header.get_zooms()
fig, axes = plt.subplots(1, 2, figsize=(8, 4))
stages = {"before": moving, "after": "registered/warped.nii.gz"}
for ax, (stage, path) in zip(axes, stages.items(), strict=True):
    board = checkerboard(volume(fixed), volume(path))
    show_middle(ax, board, spacing)
    ax.set_title(stage)
plt.show()

# %% [markdown]
# The phantom knows where each point has gone. How far is the field off? Both are in voxels of the
# fixed image here; in air the truth is not known.

# %%
truth = nib.load("brains/fields/t1_000__t2_000.nii.gz").get_fdata()
affine = nib.load(fixed).affine
field = nib.load("registered/displacement_mm.nii.gz")
start = np.round(np.linalg.solve(affine, field.affine[:, 3]))[:3].astype(int)  # its margin
inside = tuple(slice(-s, -s + n) for s, n in zip(start, truth.shape[:3], strict=True))
lps = field.get_fdata().squeeze()[inside]
found = lps * [-1, -1, 1] @ np.linalg.inv(affine[:3, :3]).T  # from LPS mm to voxels
known = np.isfinite(truth).all(axis=-1)
before = np.linalg.norm(truth * spacing, axis=-1)[known].mean()
after = np.linalg.norm((found - truth) * spacing, axis=-1)[known].mean()
print(f"mean error: {before:.2f} mm before, {after:.2f} mm after")
