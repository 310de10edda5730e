"""How CT and MR show a chest: the brightness of its tissues, and the range that is stored."""

from functools import partial

from mmzoo.phantoms.imaging.render import Contrast
from mmzoo.phantoms.imaging.scan import scan

# Hounsfield units with contrast agent in the left heart, less in the right, late in the veins.
CT = {
    "air": Contrast(-1000, 0, 0),
    "skin": Contrast(20, 5, 5),
    "fat": Contrast(-95, 8, 8),
    "muscle": Contrast(55, 6, 8),
    "cartilage": Contrast(110, 15, 10),
    "cortical bone": Contrast(750, 80, 40),
    "marrow": Contrast(190, 40, 35),
    "disc": Contrast(80, 10, 8),
    "fluid": Contrast(20, 5, 3),
    "cord": Contrast(40, 5, 3),
    "lung": Contrast(-830, 25, 30),
    "vein": Contrast(230, 50, 15),
    "vein blood": Contrast(190, 60, 20),
    "liver": Contrast(95, 15, 8),
    "spleen": Contrast(115, 15, 8),
    "stomach": Contrast(30, 20, 20),
    "myocardium": Contrast(100, 14, 9),
    "vessel wall": Contrast(50, 8, 5),
    "left blood": Contrast(360, 45, 12),
    "right blood": Contrast(240, 60, 18),
    "pulmonary blood": Contrast(290, 50, 12),
}

# Balanced steady-state MR, arbitrary units: T2/T1 makes blood and fat bright, muscle dark.
MR = {
    "air": Contrast(4, 1, 0),
    "skin": Contrast(90, 12, 6),
    "fat": Contrast(185, 22, 12),
    "muscle": Contrast(58, 8, 6),
    "cartilage": Contrast(70, 10, 6),
    "cortical bone": Contrast(18, 4, 3),
    "marrow": Contrast(112, 18, 10),
    "disc": Contrast(75, 12, 6),
    "fluid": Contrast(215, 15, 5),
    "cord": Contrast(105, 10, 4),
    "lung": Contrast(16, 4, 5),
    "vein": Contrast(150, 25, 10),
    "vein blood": Contrast(170, 20, 14),
    "liver": Contrast(74, 12, 7),
    "spleen": Contrast(110, 15, 7),
    "stomach": Contrast(120, 40, 25),
    "myocardium": Contrast(76, 9, 6),
    "vessel wall": Contrast(60, 8, 4),
    "left blood": Contrast(205, 18, 12),
    "right blood": Contrast(195, 18, 14),
    "pulmonary blood": Contrast(185, 20, 14),
}

TABLES = {"ct": CT, "mr": MR}

acquire = partial(scan, window=(-200, 600))
