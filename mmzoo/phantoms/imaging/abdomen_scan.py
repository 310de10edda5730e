"""How CT and MR show an abdomen: the brightness of its tissues, and the range that is stored."""

from functools import partial

from mmzoo.phantoms.imaging.render import Contrast
from mmzoo.phantoms.imaging.scan import scan

# Hounsfield units in the portal-venous phase: liver, veins and the kidneys' cortex enhance.
CT = {
    "air": Contrast(-1000, 0, 0),
    "skin": Contrast(20, 5, 5),
    "fat": Contrast(-100, 8, 8),
    "muscle": Contrast(58, 6, 8),
    "cartilage": Contrast(110, 15, 10),
    "cortical bone": Contrast(650, 80, 40),
    "marrow": Contrast(190, 40, 35),
    "disc": Contrast(85, 10, 8),
    "fluid": Contrast(15, 5, 3),
    "cord": Contrast(35, 5, 3),
    "lung": Contrast(-830, 25, 30),
    "vein": Contrast(150, 12, 8),
    "artery": Contrast(155, 15, 6),
    "hepatic vein": Contrast(160, 15, 6),
    "portal vein": Contrast(175, 15, 6),
    "liver": Contrast(108, 12, 7),
    "spleen": Contrast(122, 10, 7),
    "kidney cortex": Contrast(190, 18, 10),
    "kidney medulla": Contrast(165, 18, 10),
    "urine": Contrast(15, 6, 5),
    "pancreas": Contrast(95, 10, 14),
    "bile": Contrast(10, 5, 4),
    "stomach": Contrast(30, 20, 18),
    "bowel wall": Contrast(85, 10, 8),
    "bowel fluid": Contrast(30, 12, 14),
    "stool": Contrast(45, 15, 30),
}

# Spoiled gradient echo, fat and water in phase, arbitrary units: fat is bright, fluid dark.
T1 = {
    "air": Contrast(4, 1, 0),
    "skin": Contrast(100, 12, 6),
    "fat": Contrast(215, 18, 10),
    "muscle": Contrast(82, 7, 6),
    "cartilage": Contrast(75, 10, 6),
    "cortical bone": Contrast(22, 4, 3),
    "marrow": Contrast(135, 15, 10),
    "disc": Contrast(70, 8, 6),
    "fluid": Contrast(30, 5, 3),
    "cord": Contrast(88, 8, 4),
    "lung": Contrast(12, 3, 4),
    "vein": Contrast(62, 12, 10),
    "artery": Contrast(52, 14, 8),
    "hepatic vein": Contrast(60, 12, 6),
    "portal vein": Contrast(66, 12, 6),
    "liver": Contrast(128, 11, 6),
    "spleen": Contrast(78, 8, 5),
    "kidney cortex": Contrast(98, 9, 5),
    "kidney medulla": Contrast(72, 8, 5),
    "urine": Contrast(30, 6, 4),
    "pancreas": Contrast(125, 10, 12),
    "bile": Contrast(55, 25, 6),
    "stomach": Contrast(50, 20, 14),
    "bowel wall": Contrast(85, 8, 6),
    "bowel fluid": Contrast(55, 15, 14),
    "stool": Contrast(100, 25, 20),
}

# Fat-suppressed T2 (SPIR), arbitrary units: fluid is bright, fat and liver dark, blood flows out.
T2 = {
    "air": Contrast(4, 1, 0),
    "skin": Contrast(48, 8, 6),
    "fat": Contrast(28, 6, 5),
    "muscle": Contrast(42, 5, 5),
    "cartilage": Contrast(60, 10, 6),
    "cortical bone": Contrast(10, 3, 3),
    "marrow": Contrast(52, 10, 7),
    "disc": Contrast(85, 20, 10),
    "fluid": Contrast(250, 15, 6),
    "cord": Contrast(105, 10, 5),
    "lung": Contrast(10, 3, 4),
    "vein": Contrast(40, 12, 10),
    "artery": Contrast(18, 6, 5),
    "hepatic vein": Contrast(32, 12, 6),
    "portal vein": Contrast(40, 14, 6),
    "liver": Contrast(78, 8, 6),
    "spleen": Contrast(145, 13, 7),
    "kidney cortex": Contrast(150, 13, 8),
    "kidney medulla": Contrast(185, 15, 8),
    "urine": Contrast(250, 15, 6),
    "pancreas": Contrast(95, 10, 10),
    "bile": Contrast(255, 20, 6),
    "stomach": Contrast(140, 40, 26),
    "bowel wall": Contrast(75, 8, 8),
    "bowel fluid": Contrast(170, 40, 35),
    "stool": Contrast(65, 20, 20),
}

TABLES = {"ct": CT, "t1": T1, "t2": T2}

acquire = partial(scan, window=(-200, 400))
