"""Checks of NIfTI, Analyze and FreeSurfer headers: whether the file can hold what they claim."""

from pathlib import Path

import nibabel as nib
import numpy as np

from mmzoo.checks import reason_of
from mmzoo.io import header_checks

ENDINGS = (".nii", ".nii.gz", ".hdr", ".img", ".mgz", ".mgh")
GZIPPED = (".gz", ".mgz")


def check(path: Path) -> None:
    """Check header and length of a file, and the checksum of a compressed one.

    Position and axes are checked by the reader, which chooses between sform and qform.

    Raises:
        ValueError: it is cut short, damaged, or holds no numbers.
    """
    try:
        image = nib.load(path)
        size, kind = image.shape, image.get_data_dtype()
        offset = int(image.dataobj.offset)
        slopes = [float(value or 0) for value in (image.dataobj.slope, image.dataobj.inter)]
    except FileNotFoundError:
        raise ValueError(f"{path} is not there; check the name and the folder.") from None
    # Whatever nibabel and NumPy raise for a header that is none.
    except Exception as error:
        reason = reason_of(error)
        raise ValueError(
            f"{path} cannot be read as a medical image: {reason}. Is it cut short, or of another "
            "kind than its name says?"
        ) from error
    if kind.kind not in "iuf":
        raise ValueError(
            f"{path} must hold one number a voxel, got {kind}; convert colour or complex values to "
            "numbers first."
        )
    if not np.isfinite(slopes).all():
        raise ValueError(
            f"{path} has scl_slope and scl_inter {slopes} in its header, which turn every value "
            "into NaN; set them to 1 and 0."
        )
    file = Path(image.file_map["image"].filename)
    packed = file.name.lower().endswith(GZIPPED)
    held = header_checks.most_held(file, packed=packed, offset=offset)
    header_checks.check_claimed_size(path, size, kind.itemsize, held)
    if packed:
        header_checks.check_packed(file, offset + int(np.prod(size)) * kind.itemsize)
