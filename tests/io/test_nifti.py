"""Where a NIfTI file lies: by the same rule as SimpleITK, and said where its header disagrees."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from mmzoo.io import images, nifti
from mmzoo.io.paths import select
from mmzoo.spatial.frames import apart_voxels, ras_affine, set_ras_affine

SHAPE = (5, 6, 7)
SIZES = (2.0, 2.5, 3.0)
TURN = Rotation.from_euler("xyz", (10, -20, 30), degrees=True).as_matrix()


def affine(axes=TURN, sizes=SIZES, origin=(10, 20, 30)):
    made = np.eye(4)
    made[:3, :3], made[:3, 3] = axes * np.array(sizes), origin
    return made


def sheared(degrees, form=None):
    form = affine() if form is None else form.copy()
    lengths = np.linalg.norm(form[:3, :3], axis=0)
    form[:3, 1] += np.tan(np.deg2rad(degrees)) * form[:3, 0] * lengths[1] / lengths[0]
    return form


def write(path, sform=None, qform=None, unit="mm", sizes=SIZES, values=None, **fields):
    """Write a file; sform and qform are (affine, code) or None for code 0."""
    values = np.random.default_rng(0).uniform(size=SHAPE) if values is None else values
    image = nib.Nifti1Image(values.astype(np.float32), None)
    header = image.header
    header.set_zooms(sizes)
    if qform:
        header.set_qform(*qform)
    if sform:
        header.set_sform(*sform)
    header["sform_code"] = sform[1] if sform else 0
    header["qform_code"] = qform[1] if qform else 0
    header.set_xyzt_units(unit)
    for name, value in fields.items():
        header[name] = value
    image.to_filename(path)
    return path


def by_itk(path):
    """Voxel index to RAS mm as SimpleITK has it, and the image."""
    image = sitk.ReadImage(str(path))
    found = np.eye(4)
    found[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    found[:3, 3] = image.GetOrigin()
    return np.diag([-1, -1, 1, 1]) @ found, image


@pytest.fixture(autouse=True)
def silent_itk():
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    yield
    sitk.ProcessObject.SetGlobalWarningDisplay(True)


def random_header(seed, path):
    """Any codes, units, handedness; forms that differ by nothing, a little or much; shears."""
    rng = np.random.default_rng(seed)
    axes = Rotation.random(random_state=seed).as_matrix() * rng.choice([1, 1, -1])
    sizes = rng.uniform(0.5, 3, 3)
    qform = affine(axes, sizes, rng.uniform(-100, 100, 3))
    sform = qform.copy()
    sform[:3, 3] += rng.choice([0, 1e-6, 1e-3, 30])
    if rng.random() < 0.5:
        sform = sheared(rng.choice([1e-5, 0.02, 0.5, 20]), sform)
    sform[:3, :3] *= rng.choice([1, 1, 1.2])
    unit = str(rng.choice(["mm", "micron", "meter", "unknown"]))
    codes = rng.integers(0, 5, 2).tolist()
    return write(path, (sform, codes[0]), (qform, codes[1]), unit, tuple(sizes)), unit


@pytest.mark.parametrize("seed", range(150))
def test_what_counts_is_what_counts_in_itk(seed, tmp_path):
    path, unit = random_header(seed, tmp_path / "a.nii")
    try:
        wanted, _ = by_itk(path)
    except RuntimeError:  # "ITK only supports orthonormal direction cosines"
        with pytest.raises(ValueError, match="sheared by"):
            images.read(path)
        return
    found, _ = nifti.place(nib.load(path).header, path)
    np.testing.assert_allclose(found, wanted, atol=2e-5 * max(1, nifti.UNITS_MM.get(unit, 1)))
    # The reader turns axes, and says the same.
    turned = images.read(path)
    lies = sitk.DICOMOrient(by_itk(path)[1], "RAS")
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(turned.image), sitk.GetArrayFromImage(lies)
    )
    assert apart_voxels(ras_affine(lies), ras_affine(turned.image), SHAPE) < 1e-3


def test_without_forms_axes_are_itks_and_that_is_said(tmp_path):
    path = write(tmp_path / "a.nii")
    loaded = images.read(path)
    assert loaded.axes == "LPS"  # nibabel says LAS: its picture is mirrored
    assert "".join(nib.aff2axcodes(nib.load(path).affine)) == "LAS"
    assert "no qform and no sform" in loaded.notes[0]


def test_forms_that_lie_apart_are_named_with_both_values_and_either_can_be_chosen(tmp_path):
    far = affine(origin=(40, 20, 30))
    path = write(tmp_path / "a.nii", (far, 2), (affine(), 1))
    (note,) = images.read(path).notes
    for part in ("30 mm apart", "(10.0, 20.0, 30.0)", "(40.0, 20.0, 30.0)", "--geometry sform"):
        assert part in note
    for form, wanted in (("sform", far), ("qform", affine())):
        chosen = images.read(select(path, form))
        assert not chosen.notes
        back = ras_affine(chosen.turned_back(chosen.image))
        np.testing.assert_allclose(back, wanted, atol=1e-5)
    with pytest.raises(ValueError, match="did you mean 'sform'"):
        images.read(f"{path}#sfrom")


@pytest.mark.parametrize(("unit", "factor"), [("micron", 1e-3), ("meter", 1e3)])
def test_units_are_taken_and_named(unit, factor, tmp_path):
    loaded = images.read(write(tmp_path / "a.nii", (affine(), 1), (affine(), 1), unit))
    sizes = loaded.turned_back(loaded.image).GetSpacing()
    np.testing.assert_allclose(sizes, np.array(SIZES) * factor, rtol=1e-5)
    assert f"are in {unit}" in loaded.notes[0]


def test_voxel_sizes_that_differ_from_the_sforms_are_named(tmp_path):
    path = write(tmp_path / "a.nii", (affine(sizes=(1, 1, 1)), 1))
    loaded = images.read(path)
    np.testing.assert_allclose(loaded.turned_back(loaded.image).GetSpacing(), SIZES, rtol=1e-6)
    assert "(1.0, 1.0, 1.0) mm by its sform" in loaded.notes[0]
    chosen = images.read(f"{path}#sform").image
    np.testing.assert_allclose(chosen.GetSpacing(), (1, 1, 1), rtol=1e-6)


@pytest.mark.parametrize("degrees", [0.02, 0.5, 5])
def test_a_shear_is_refused_with_its_angle_or_named_where_the_qform_counts(degrees, tmp_path):
    path = write(tmp_path / "a.nii", (sheared(degrees), 1))
    with pytest.raises(ValueError, match=rf"sform is sheared by 0?{degrees}"):
        images.read(path)
    path = write(tmp_path / "b.nii", (sheared(degrees), 1), (affine(), 1))
    if degrees > 0.1:
        assert f"sheared by {degrees:.2g}" in images.read(path).notes[0]
    with pytest.raises(ValueError, match="sform is sheared"):
        images.read(f"{path}#sform")


def test_a_sheared_nrrd_is_refused_as_a_nifti_is(tmp_path):
    image = sitk.GetImageFromArray(np.random.default_rng(0).uniform(size=SHAPE))
    axes = sheared(3)[:3, :3] / np.linalg.norm(sheared(3)[:3, :3], axis=0)
    image.SetDirection(axes.ravel().tolist())
    for name in ("a.nrrd", "a.mha"):
        sitk.WriteImage(image, str(tmp_path / name))
        with pytest.raises(ValueError, match=r"sheared by 3 degrees"):
            images.read(tmp_path / name)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"qoffset_x": np.nan}, "a qform of numbers that place nothing"),
        ({"quatern_b": 0.9, "quatern_c": 0.9}, "a qform of numbers that place nothing"),
        ({"srow_x": (np.inf, 0, 0, 0)}, "a sform of numbers that place nothing"),
    ],
)
def test_a_form_of_no_numbers_is_refused_and_the_other_can_be_chosen(fields, message, tmp_path):
    path = write(tmp_path / "a.nii", (affine(), 2), (affine(), 1))
    raw = bytearray(path.read_bytes())
    header = nib.Nifti1Header(bytes(raw[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    raw[:348] = header.binaryblock
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=message):
        images.read(path)
    other = "sform" if "qform" in message else "qform"
    assert images.read(f"{path}#{other}").image.GetSize() == SHAPE


def test_written_files_vouch_for_both_forms_and_both_say_the_same(tmp_path):
    nifti.save_nifti(tmp_path / "a.nii.gz", np.zeros(SHAPE, np.float32), affine())
    image = sitk.GetImageFromArray(np.random.default_rng(0).uniform(size=SHAPE[::-1]))
    set_ras_affine(image, affine())
    images.write_image(image, tmp_path / "b.nii.gz")
    for name in "ab":
        header = nib.load(tmp_path / f"{name}.nii.gz").header
        assert header["sform_code"] == header["qform_code"] == 1
        np.testing.assert_allclose(header.get_sform(), affine(), atol=1e-5)
        np.testing.assert_allclose(header.get_qform(), affine(), atol=1e-5)
        assert header.get_xyzt_units()[0] == "mm"
