"""Where the voxels of a NIfTI file lie, by ITK's rule, and NIfTI files whose two forms agree.

A header says it up to three times: by its sform (a matrix), its qform (a rotation) and its voxel
sizes (pixdim). What counts here is what counts in ITK, so that `sitk.Resample` of the same files
gives the same image:

* voxel sizes are pixdim, in the unit that the header names (nibabel and FSL overlook the unit);
* the sform's axes and origin count if its code is 1 (scanner), or there is no qform;
* else the qform's, unless the two are the same to `SAME`;
* an sform whose axes are not at right angles never counts;
* without either: axes towards left, posterior and superior, the first voxel at 0.

Each disagreement is put into words. `test_nifti.py` holds the rule against SimpleITK itself.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from scipy.spatial.transform import Rotation

from mmzoo.checks import check_choice
from mmzoo.spatial.frames import RAS_TO_LPS, shear_degrees

# What nibabel raises for files cut short, of another kind, or not allowed to be read.
BROKEN = (
    *(OSError, EOFError, ValueError, TypeError, zlib.error),
    *(ImageFileError, HeaderDataError),
)
APART_VOXELS = 0.5  # corners further apart than this: two grids do not belong together
FORMS = ("sform", "qform")
UNITS_MM = {"meter": 1000.0, "micron": 0.001}  # others, "unknown" among them, count as mm
SAME = 1e-4  # cosines, and origins in the header's unit: forms that differ less count as equal
NOTED = 0.01  # of a voxel: forms that lie further apart get a note


@dataclass(frozen=True)
class Form:
    """One of the two ways in which a header places its voxels.

    Attributes:
        name: "sform" or "qform".
        code: `sform_code` or `qform_code`; 0 where the header leaves it unset.
        axes: (3, 3), where each axis points, unit columns, RAS.
        steps_mm: (3,), voxel sizes as this form has them.
        origin_mm: (3,), RAS.
    """

    name: str
    code: int
    axes: np.ndarray
    steps_mm: np.ndarray
    origin_mm: np.ndarray

    @property
    def shear_degrees(self) -> float:
        """How far the axes are from right angles; 0 where ITK takes them for such."""
        return shear_degrees(self.axes)

    def place(self, steps_mm: np.ndarray) -> np.ndarray:
        """Return voxel index to RAS mm, (4, 4), with voxels of a given size."""
        affine = np.eye(4)
        affine[:3, :3], affine[:3, 3] = self.axes * steps_mm, self.origin_mm
        return affine


def place(header, path: object, geometry: str = "") -> tuple[np.ndarray, list[str]]:
    """Return the affine of a NIfTI or Analyze file, and notes on contradictions in its header.

    Args:
        header: nibabel's.
        path: what to call the file in messages.
        geometry: "sform" or "qform" to let that count instead of ITK's choice, with its own voxel
            sizes.

    Returns:
        Voxel index to RAS mm, (4, 4), and sentences.

    Raises:
        ValueError: the header has no such form, the one that counts is sheared, or a number is not
            finite or no voxel size.
    """
    sizes, unit = _sizes(header, path)
    forms = _forms(header, unit)
    broken = [n for n in FORMS if _is_nifti(header) and header[f"{n}_code"] and n not in forms]
    if broken and geometry not in forms:
        raise ValueError(
            f"{path} has a {broken[0]} of numbers that place nothing (NaN, zero axes, or a "
            "quaternion longer than 1); mend its header" + _choice(list(forms.values()))
        )
    if geometry:
        check_choice("geometry", geometry, FORMS)
        if geometry not in forms:
            raise ValueError(f"{path} has no {geometry} that can be used; leave --geometry out.")
        chosen = forms[geometry]
        sizes = chosen.steps_mm
    else:
        chosen = _chosen(forms, unit)
    if chosen.shear_degrees:
        raise ValueError(
            f"{path} must have axes at right angles to each other, but its {chosen.name} is "
            f"sheared by {chosen.shear_degrees:.3g} degrees: "
            f"{chosen.place(sizes)[:3].round(4).tolist()}; resample it without shear, or mend its "
            "header."
        )
    notes = [] if geometry else _disagreements(forms, chosen, sizes, header, path)
    if unit != 1:
        said = _unit(header)
        notes.append(
            f"{path}: voxel sizes are in {said}, taken as {_short(sizes)} mm; nibabel and FSL "
            f"read {_short(sizes / unit)} mm"
        )
    return chosen.place(sizes), notes


def _sizes(header, path) -> tuple[np.ndarray, float]:
    """Return the voxel sizes in mm, and the mm of the header's unit."""
    unit = UNITS_MM.get(_unit(header), 1.0) if _is_nifti(header) else 1.0
    sizes = np.abs(np.array(header["pixdim"][1:4], float)) * unit
    if not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise ValueError(
            f"{path} must have voxel sizes above 0, got pixdim {header['pixdim'][1:4].tolist()}; "
            "mend its header."
        )
    return sizes, unit


def _unit(header) -> str:
    """Return the unit of length that a header names; "unknown" for an undefined code."""
    return {1: "meter", 2: "mm", 3: "micron"}.get(int(header["xyzt_units"]) & 7, "unknown")


def seconds(header) -> float:
    """Return the time between two frames of a 4-D image; 1 where a header does not say it."""
    if not _is_nifti(header) or len(header.get_zooms()) < 4:
        return 1.0
    milli, micro = 16, 24  # codes of xyzt_units
    unit = {milli: 1e-3, micro: 1e-6}.get(int(header["xyzt_units"]) & 56, 1.0)
    step = float(header.get_zooms()[3]) * unit
    return step if np.isfinite(step) and step > 0 else 1.0


def _is_nifti(header) -> bool:
    return isinstance(header, nib.Nifti1Header)


def _forms(header, unit: float) -> dict[str, Form]:
    """Return the forms that can be used: finite, and no axis of length 0."""
    if not _is_nifti(header):
        return {}
    found = {}
    for name, affine in (("sform", header.get_sform()), ("qform", _qform(header))):
        affine = np.asarray(affine, float)
        affine[:3] *= unit
        steps = np.linalg.norm(affine[:3, :3], axis=0)
        if np.isfinite(affine).all() and (steps > 0).all():
            code = int(header[f"{name}_code"])
            found[name] = Form(name, code, affine[:3, :3] / steps, steps, affine[:3, 3])
    return found


def _qform(header) -> np.ndarray:
    """Return the qform, (4, 4), as nifti1.h computes it; NaN where its quaternion is invalid.

    nibabel rounds differently near half a turn, by a thousandth of a radian.
    """
    turn = np.array([header[f"quatern_{name}"] for name in "bcd"], float)
    rest = 1 - float(turn @ turn)
    if not rest > -1e-3:
        return np.full((4, 4), np.nan)
    axes = Rotation.from_quat([*turn, np.sqrt(rest) if rest > 1e-7 else 0.0]).as_matrix()
    sizes = np.abs(np.array(header["pixdim"][1:4], float))
    affine = np.eye(4)
    affine[:3, :3] = axes * sizes * [1, 1, -1 if header["pixdim"][0] < 0 else 1]
    affine[:3, 3] = [header[f"qoffset_{name}"] for name in "xyz"]
    return affine


def _chosen(forms: dict[str, Form], unit: float) -> Form:
    """Return the form that counts in ITK."""
    sform, qform = (forms[name] if name in forms and forms[name].code else None for name in FORMS)
    if sform and (not qform or not sform.shear_degrees):
        if not qform or sform.code == 1 or _same(sform, qform, unit):
            return sform
    if qform:
        return qform
    return Form("position", 0, RAS_TO_LPS[:3, :3], np.ones(3), np.zeros(3))


def _same(first: Form, second: Form, unit: float) -> bool:
    axes = np.abs(first.axes - second.axes).max()
    return bool(max(axes, np.abs(first.origin_mm - second.origin_mm).max() / unit) < SAME)


def _disagreements(forms, chosen: Form, sizes, header, path) -> list[str]:
    """Return notes on what a header states twice and differently."""
    if not chosen.code:
        return [
            f"{path}: no qform and no sform, so where it lies is not known; as in ITK its axes "
            "count as left, posterior, superior from 0 (nibabel and FSL take others). Write the "
            "right position into its header" + _choice([f for f in forms.values()])
        ]
    notes = []
    for other in forms.values():
        if other is chosen or not other.code:
            continue
        gap = _gap(chosen, other, sizes, header.get_data_shape()[:3])
        if gap > NOTED * sizes.min():
            shear = f", sheared by {other.shear_degrees:.3g} degrees" if other.shear_degrees else ""
            notes.append(
                f"{path}: {chosen.name} and {other.name} lie up to {gap:.3g} mm apart; the "
                f"{chosen.name} counts, as in ITK (origin {_short(chosen.origin_mm)}, RAS), not "
                f"the {other.name} (origin {_short(other.origin_mm)}{shear})" + _choice([other])
            )
    for form in forms.values():
        if form.code and np.abs(form.steps_mm / sizes - 1).max() > NOTED:
            notes.append(
                f"{path}: voxel sizes are {_short(sizes)} mm by pixdim, which counts, as in ITK, "
                f"and {_short(form.steps_mm)} mm by its {form.name}" + _choice([form])
            )
    return notes


def _gap(first: Form, second: Form, sizes: np.ndarray, shape) -> float:
    """Return the largest distance between a corner of the volume by two forms, mm."""
    ends = np.array([[*corner, 1.0] for corner in np.ndindex(2, 2, 2)])
    corners = (ends * [*(np.array(shape) - 1.0), 1.0]).T
    difference = (first.place(sizes) - second.place(sizes)) @ corners
    return float(np.linalg.norm(difference[:3], axis=0).max())


def _choice(forms: list[Form]) -> str:
    usable = [f"--geometry {form.name}" for form in forms if not form.shear_degrees]
    return f"; {' or '.join(usable)} takes that instead" if usable else ""


def _short(values) -> tuple[float, ...]:
    return tuple(float(f"{value:.5g}") for value in values)


def read_array(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of a NIfTI file as they are stored, float32, and where they lie.

    Returns:
        The array, and voxel index to RAS mm, (4, 4), by the rule of ``place``.

    Raises:
        ValueError: it cannot be read; says why.
    """
    try:
        image = nib.load(path)
        values = np.asarray(image.dataobj, dtype=np.float32)
    except BROKEN as error:
        raise ValueError(f"{path} cannot be read as NIfTI: {error}") from error
    return values, place(image.header, path)[0]


def make_nifti(values: np.ndarray, affine: np.ndarray) -> nib.Nifti1Image:
    """Return a NIfTI image in mm with equal sform and qform, both of code 1."""
    image = nib.Nifti1Image(values, affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    image.header.set_xyzt_units("mm")
    return image


def save_nifti(path: Path, values: np.ndarray, affine: np.ndarray) -> None:
    """Write an array as NIfTI; see ``make_nifti``."""
    nib.save(make_nifti(values, affine), path)
