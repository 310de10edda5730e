"""How T1-weighted MR shows breasts and chest, before and late after contrast agent."""

from functools import partial

from mmzoo.phantoms.imaging.render import Contrast
from mmzoo.phantoms.imaging.scan import scan_with_gain

# Spoiled gradient echo without suppression of fat, arbitrary units: fat is bright, all that holds
# water is about equally dark.
PRE = {
    "air": Contrast(4, 1, 0),
    "skin": Contrast(96, 8, 6),
    "fat": Contrast(200, 10, 7),
    "septum": Contrast(112, 8, 6),
    "gland": Contrast(94, 8, 9),
    "duct": Contrast(84, 8, 6),
    "nipple": Contrast(92, 8, 6),
    "breast vessel": Contrast(66, 8, 4),
    "lesion rim": Contrast(84, 7, 5),
    "lesion core": Contrast(80, 9, 8),
    "muscle": Contrast(82, 6, 7),
    "cartilage": Contrast(74, 8, 6),
    "cortical bone": Contrast(24, 4, 3),
    "marrow": Contrast(140, 14, 10),
    "disc": Contrast(70, 8, 6),
    "fluid": Contrast(32, 5, 3),
    "cord": Contrast(88, 8, 4),
    "lung": Contrast(14, 3, 5),
    "vein": Contrast(58, 10, 8),
    "vein blood": Contrast(62, 9, 10),
    "liver": Contrast(112, 9, 6),
    "spleen": Contrast(80, 8, 5),
    "stomach": Contrast(60, 20, 14),
    "myocardium": Contrast(84, 7, 6),
    "vessel wall": Contrast(72, 8, 5),
    "left blood": Contrast(60, 10, 10),
    "right blood": Contrast(64, 10, 10),
    "pulmonary blood": Contrast(58, 10, 10),
}

# What the agent adds differs from tissue to tissue, and within one: nothing in fat, little in
# muscle, patches in glands, most in the rim of a lesion and in blood. Dark becomes bright, and what
# was equal does not stay so: no function of the intensity before gives the one after.
POST = PRE | {
    "skin": Contrast(112, 9, 8),
    "septum": Contrast(116, 8, 6),
    "gland": Contrast(126, 15, 20),
    "duct": Contrast(98, 10, 8),
    "nipple": Contrast(165, 18, 10),
    "breast vessel": Contrast(205, 20, 8),
    "lesion rim": Contrast(232, 16, 16),
    "lesion core": Contrast(158, 28, 26),
    "muscle": Contrast(92, 7, 8),
    "marrow": Contrast(148, 14, 10),
    "lung": Contrast(18, 4, 7),
    "vein": Contrast(185, 18, 10),
    "vein blood": Contrast(200, 16, 12),
    "liver": Contrast(156, 12, 7),
    "spleen": Contrast(162, 14, 7),
    "myocardium": Contrast(140, 12, 8),
    "vessel wall": Contrast(95, 10, 6),
    "left blood": Contrast(214, 14, 10),
    "right blood": Contrast(206, 14, 12),
    "pulmonary blood": Contrast(208, 14, 12),
}
TABLES = {"pre": PRE, "post": POST}

# Each series is stored with a gain of its own.
acquire = partial(scan_with_gain, gains=(0.8, 1.2))
