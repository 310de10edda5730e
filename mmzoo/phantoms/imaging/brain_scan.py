"""How T1- and T2-weighted MR show a brain whose skull was taken away."""

import numpy as np

from mmzoo.phantoms.imaging.render import Contrast
from mmzoo.phantoms.imaging.scan import scan_again

# Inversion-prepared gradient echo, without contrast agent, arbitrary units: myelin is bright, the
# more water, the darker.
T1 = {
    "air": Contrast(0, 0, 0),
    "csf": Contrast(36, 4, 3),
    "grey matter": Contrast(122, 6, 7),
    "white matter": Contrast(184, 6, 6),
    "caudate": Contrast(130, 5, 5),
    "putamen": Contrast(138, 5, 5),
    "pallidum": Contrast(166, 6, 5),
    "thalamus": Contrast(150, 6, 6),
    "cerebellar cortex": Contrast(118, 6, 8),
    "cerebellar white matter": Contrast(176, 6, 7),
    "brain stem": Contrast(170, 6, 6),
    "oedema": Contrast(112, 8, 9),
    "tumour rim": Contrast(142, 10, 10),
    "tumour core": Contrast(76, 10, 12),
}

# Turbo spin echo: water is brightest, iron and myelin are dark. Grey matter and oedema, alike in
# T1, are far apart here: no function of the intensity in one gives that in the other.
T2 = {
    "air": Contrast(0, 0, 0),
    "csf": Contrast(230, 10, 6),
    "grey matter": Contrast(124, 6, 8),
    "white matter": Contrast(82, 5, 6),
    "caudate": Contrast(114, 5, 6),
    "putamen": Contrast(106, 5, 6),
    "pallidum": Contrast(62, 5, 5),
    "thalamus": Contrast(100, 5, 6),
    "cerebellar cortex": Contrast(126, 6, 9),
    "cerebellar white matter": Contrast(86, 5, 7),
    "brain stem": Contrast(90, 5, 7),
    "oedema": Contrast(184, 10, 11),
    "tumour rim": Contrast(136, 10, 12),
    "tumour core": Contrast(202, 14, 15),
}
TABLES = {"t1": T1, "t2": T2}


def acquire(modality: str, image, grid, anatomy, contrast, noise) -> np.ndarray:
    """Turn the ideal image into a scan; what lies outside the brain is zero."""
    return np.where(image > 0, scan_again(modality, image, grid, anatomy, noise), np.float32(0))
