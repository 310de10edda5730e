"""How a balanced cine shows a chest at two times of one beat."""

from functools import partial

from mmzoo.phantoms.imaging.heart_scan import MR
from mmzoo.phantoms.imaging.render import Contrast
from mmzoo.phantoms.imaging.scan import scan_with_gain

# Blood flows in fresh and bright while the heart fills and loses signal where it is ejected, most
# in the right ventricle; squeezed muscle holds less blood.
ED = MR | {
    "lung": Contrast(26, 5, 9),
    "myocardium": Contrast(70, 7, 7),
    "left blood": Contrast(208, 14, 9),
    "right blood": Contrast(196, 12, 14),
    "pulmonary blood": Contrast(190, 18, 14),
    "vein": Contrast(150, 25, 10),
}
ES = ED | {
    "myocardium": Contrast(63, 7, 7),
    "left blood": Contrast(198, 16, 13),
    "right blood": Contrast(172, 22, 24),
    "pulmonary blood": Contrast(204, 18, 10),
    "vein": Contrast(170, 25, 10),
}
TABLES = {"ed": ED, "es": ES}

# Each time has a gain of its own, within a few percent.
acquire = partial(scan_with_gain, gains=(0.96, 1.04))
