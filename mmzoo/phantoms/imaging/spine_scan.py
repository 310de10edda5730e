"""How CT and T1-weighted MR show a lumbar spine, and the range that is stored."""

from functools import partial

from mmzoo.phantoms.imaging.render import Contrast
from mmzoo.phantoms.imaging.scan import scan

# Hounsfield units without contrast agent.
CT = {
    "air": Contrast(-1000, 0, 0),
    "gas": Contrast(-850, 40, 20),
    "skin": Contrast(15, 8, 5),
    "fat": Contrast(-100, 8, 8),
    "muscle": Contrast(55, 6, 8),
    "bowel": Contrast(35, 8, 14),
    "blood": Contrast(42, 5, 4),
    "annulus": Contrast(98, 10, 8),
    "nucleus": Contrast(72, 10, 6),
    "fluid": Contrast(14, 5, 3),
    "root": Contrast(38, 5, 3),
    "cortical bone": Contrast(760, 90, 90),
    "marrow": Contrast(190, 22, 45),
}

# Spoiled gradient echo with short times (TE 2, TR 7 ms in the thesis), arbitrary units: fat is
# bright, fluid dark, marrow in between, for it is half fat; compact bone has no signal.
MR = {
    "air": Contrast(4, 1, 0),
    "gas": Contrast(6, 2, 1),
    "skin": Contrast(110, 12, 6),
    "fat": Contrast(205, 16, 10),
    "muscle": Contrast(80, 7, 7),
    "bowel": Contrast(88, 12, 18),
    "blood": Contrast(66, 14, 8),
    "annulus": Contrast(58, 7, 5),
    "nucleus": Contrast(84, 8, 6),
    "fluid": Contrast(38, 6, 3),
    "root": Contrast(84, 7, 4),
    "cortical bone": Contrast(18, 4, 4),
    "marrow": Contrast(138, 14, 10),
}

TABLES = {"ct": CT, "mr": MR}

acquire = partial(scan, window=(-250, 1250))
