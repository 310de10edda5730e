"""What a phantom data set is made from: which anatomy, on which grid, by which seed."""

import hashlib
import importlib
import json
from dataclasses import asdict, dataclass

from mmzoo.checks import check_choice, check_positive
from mmzoo.spatial.grid import check_size

# Raise it when the same settings no longer give the same files: folders of before are then refused.
VERSION = 1
PHANTOMS = {
    "heart": "mmzoo.phantoms.anatomy.heart",
    "abdomen": "mmzoo.phantoms.anatomy.abdomen",
    "breast": "mmzoo.phantoms.anatomy.breast",
    "cine": "mmzoo.phantoms.anatomy.cine",
    "brain": "mmzoo.phantoms.anatomy.brain",
    "spine": "mmzoo.phantoms.anatomy.spine",
}
# What a phantom's module may say beside what it must, and what holds where it does not.
OPTIONAL = {
    "PAIRING": "all",
    "PLANES": ("sagittal", "coronal", "axial"),
    "SIZE": (64, 64, 64),
    "SMALLEST": (16, 16, 16),
    "MULTIPLES": (16, 16, 16),
    "SLABS": (1, 1, 1),
    "MOTION_MM": None,
    "WORSENED": False,
}


@dataclass(frozen=True)
class PhantomSettings:
    """What decides the contents of a case's files, beside its modality and index.

    Attributes:
        name: which phantom, one of ``PHANTOMS``.
        size: voxels along each axis.
        fov: one of the phantom's fields of view, by name (empty: its first), or box edges in
            millimetres.
        spacing: voxel size in millimetres, or None to take it from the field of view.
        seed: of the whole data set.
        version: of the phantom's code.
        moving: the moving modality (empty: the phantom's first).
        motion: largest displacement between two states of one person in millimetres (None: the
            phantom's own; most have no other).
        noise: standard deviation of noise beside the phantom's own, in percent of the brightest
            intensity (None: none).
        blur: full width at half maximum of a blurring in millimetres (None: none).

    Raises:
        ValueError: for an unknown phantom.
    """

    name: str
    size: tuple[int, int, int]
    fov: str | tuple[float, float, float] = ""
    spacing: tuple[float, float, float] | None = None
    seed: int = 0
    version: int = VERSION
    moving: str = ""
    motion: float | None = None
    noise: float | None = None
    blur: float | None = None

    def __post_init__(self) -> None:
        module = phantom_module(self.name)
        object.__setattr__(self, "fov", self.fov or next(iter(module.FIELDS)))
        object.__setattr__(self, "moving", self.moving or module.MOVING[0])
        if self.motion is None:
            object.__setattr__(self, "motion", trait(self.name, "MOTION_MM"))

    def as_dict(self) -> dict:
        """Return what is stored and hashed; a choice only where the phantom leaves one."""
        settings = asdict(self)
        if len(phantom_module(self.name).MOVING) == 1:
            del settings["moving"]
        if trait(self.name, "MOTION_MM") is None:
            del settings["motion"]
        for name in ("noise", "blur"):
            if settings[name] is None:
                del settings[name]
        return settings

    @property
    def digest(self) -> str:
        """Short hash of the settings."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()[:16]

    @property
    def same_person(self) -> bool:
        """Whether moving and fixed case k are two states of one person."""
        return trait(self.name, "PAIRING") == "same"

    def check(self) -> None:
        """Raise ValueError for settings that make no data set; says which and how to mend it."""
        module = phantom_module(self.name)
        check_choice("moving", self.moving, module.MOVING)
        check_size(self.size, trait(self.name, "MULTIPLES"), trait(self.name, "SMALLEST"))
        check_positive("seed", self.seed, allow_zero=True)
        self._check_motion()
        self._check_worsened()
        if isinstance(self.fov, tuple):
            for length in self.fov:
                check_positive("fov", length)
        else:
            check_choice("fov", self.fov, module.FIELDS)
        for length in self.spacing or ():
            check_positive("spacing", length)
        if isinstance(self.fov, tuple) and self.spacing is not None:
            raise ValueError(
                "`spacing` with `size` already says how large the field of view is; "
                f"leave out one of spacing {self.spacing} and fov {self.fov}."
            )

    def _check_motion(self) -> None:
        if self.motion is None:
            return
        if trait(self.name, "MOTION_MM") is None:
            raise ValueError(
                f"the motion of phantom {self.name} cannot be chosen, got {self.motion}; "
                "leave `motion` out."
            )
        check_positive("motion", self.motion, allow_zero=True)

    def _check_worsened(self) -> None:
        for name in ("noise", "blur"):
            value = getattr(self, name)
            if value is None:
                continue
            if not trait(self.name, "WORSENED"):
                raise ValueError(
                    f"the {name} of phantom {self.name} cannot be chosen, got {value}; leave "
                    f"`{name}` out."
                )
            check_positive(name, value)


def phantom_module(name: str):
    """Return the module of an anatomy.

    It has LABELS, MOVING (modalities, the default first), FIXED (modality), TABLES (contrasts by
    modality), ``draw`` and ``acquire``, and FIELDS: by name, the default first, the labels that a
    box goes round, None for the whole body, or a function from a person to a box, as centre and
    edges in millimetres. It may have those of ``OPTIONAL``:

    * PAIRING "same": what ``draw`` returns is one person in two states, drawn as it is in the fixed
      one; its ``motion`` takes points of the moving state to the fixed one and its ``texture``
      gives the grain of its tissues, which moves along. "all": cases are different people. What
      moves rigidly, by label, is in its ``rigid_motions``, if it has them;
    * PLANES: what the slices across each axis are called;
    * SIZE, SMALLEST, MULTIPLES: the default size, the smallest, and what its axes are multiples of;
    * SLABS: odd numbers of sheets along each axis that a voxel's intensity is the mean of;
    * WORSENED: whether noise and blur can be added, which takes images that are 0 in the air;
    * MOTION_MM: the default size of the motion, where it can be chosen; ``draw`` is then given it.

    Raises:
        ValueError: for an unknown phantom.
    """
    check_choice("phantom", name, PHANTOMS)
    return importlib.import_module(PHANTOMS[name])


def trait(name: str, key: str):
    """Return what a phantom's module says under a name of ``OPTIONAL``, or what holds if not."""
    return getattr(phantom_module(name), key, OPTIONAL[key])
