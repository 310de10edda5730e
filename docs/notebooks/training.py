# %% [markdown]
# # A training and its curves
#
# VoxelMorph's network learns from phantoms of brains to lay T1 images on T2 images of the same
# person, without labels: the loss, MIND-SSC, compares images alone. Labels only judge,
# before and after.

# %%
import os
import subprocess

import keras
import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np

import mmzoo
from mmzoo.metrics import dice

size, cases = (40, 48, 32), 20
epochs = int(os.environ.get("EPOCHS", 25))


def make(folder, cases, seed):
    command = ["mmzoo", "phantom", "brain", "--folds", "2", "--valid", "0", "--cases", str(cases)]
    command += ["--size", *map(str, size), "--seed", str(seed), "--out", folder]
    _ = subprocess.run(command, check=True)


make("heads", cases, seed=0)
make("test_heads", 4, seed=100)

# %% [markdown]
# The last two people of the first folder are for validation: settings are chosen by their curve.
# The people of the second are other ones, for the test alone.


# %%
def read(kind, modality, person):
    folder, number = person
    file = f"{folder}/{kind}/{modality}_{number:03}.nii.gz"
    voxels = nib.load(file).get_fdata(dtype=np.float32)
    return voxels if kind == "labels" else (voxels - voxels.min()) / np.ptp(voxels)


people = {
    "train": [("heads", n) for n in range(cases - 2)],
    "validation": [("heads", n) for n in range(cases - 2, cases)],
    "test": [("test_heads", n) for n in range(4)],
}
images = {
    split: {
        "moving": np.stack([read("images", "t1", person) for person in of]),
        "fixed": np.stack([read("images", "t2", person) for person in of]),
    }
    for split, of in people.items()
}

# %%
keras.utils.set_random_seed(0)
model = mmzoo.models.voxelmorph(size)


def bending(_, ddf):
    return mmzoo.losses.bending_energy(ddf)


model.compile(
    keras.optimizers.Adam(3e-4),
    loss={"warped": mmzoo.losses.MINDSSC(), "ddf": bending},
    loss_weights={"warped": 1.0, "ddf": 30.0},
)


def targets(of):
    return {"warped": of["fixed"], "ddf": np.zeros((*of["fixed"].shape, 3))}  # a field has none


history = model.fit(
    images["train"],
    targets(images["train"]),
    validation_data=(images["validation"], targets(images["validation"])),
    batch_size=1,
    epochs=epochs,
    verbose=0,
).history

fig, ax = plt.subplots(figsize=(6, 3))
ax.plot(history["loss"], label="people trained on")
ax.plot(history["val_loss"], label="people for validation")
ax.set_xlabel("epoch")
ax.set_ylabel("loss")
ax.legend()
plt.show()

# %% [markdown]
# Where the second curve rises while the first falls, the network learns its few people by heart:
# more people, or an augmentation, help. Overlap of the labels says what the loss does not:

# %%
fields = model.predict(images["test"], verbose=0)["ddf"]
warp = mmzoo.layers.Warp()
for person, field in zip(people["test"], fields, strict=True):
    moving, fixed = read("labels", "t1", person), read("labels", "t2", person) > 0.5
    warped = np.stack([warp([c[None], field[None]])[0] for c in np.moveaxis(moving, -1, 0)], -1)
    for stage, labels in (("before", moving), ("after", warped)):
        scores = [dice(fixed[..., n], labels[..., n] > 0.5) for n in range(fixed.shape[-1])]
        print(f"test person {person[1]}, {stage}: mean Dice {np.mean(scores):.3f}")
