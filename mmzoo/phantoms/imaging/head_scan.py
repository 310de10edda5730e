"""How T1, T2, PD and CT show a whole head, tissue by tissue of a label map.

Tissues of the brain by the ids of FreeSurfer's colour table; 136, 137, 163 and 164 are the choroid
plexus (SynthSeg, issue 119). What the ids from 502 up are is published nowhere: they are named here
by where they lie in the sixteen maps of the SynthSeg repository and how large they are.
"""

from mmzoo.phantoms.imaging.brain_scan import T1 as BRAIN_T1
from mmzoo.phantoms.imaging.brain_scan import T2 as BRAIN_T2
from mmzoo.phantoms.imaging.render import Contrast

TISSUES = {
    "air": (0,),
    "white matter": (2, 41, 85),
    "white matter lesion": (25, 57, 77),
    "grey matter": (3, 17, 18, 42, 53, 54),
    "csf": (4, 5, 14, 15, 24, 43, 44, 72),
    "cerebellar white matter": (7, 46),
    "cerebellar cortex": (8, 47),
    "thalamus": (10, 49),
    "caudate": (11, 26, 50, 58),
    "putamen": (12, 51),
    "pallidum": (13, 52),
    "brain stem": (16, 28, 60),
    "vessel": (30, 62, 502, 514),
    "choroid plexus": (31, 63, 136, 137, 163, 164),
    "eye": (506,),
    "soft tissue": (507,),
    "nerve": (508, 512, 530),
    "mucosa": (509,),
    "skin and fat": (511,),
    "cortical bone": (515,),
    "marrow": (516,),
}

T1 = BRAIN_T1 | {
    "white matter lesion": Contrast(120, 8, 8),
    "vessel": Contrast(60, 15, 12),
    "choroid plexus": Contrast(80, 8, 8),
    "eye": Contrast(30, 4, 3),
    "soft tissue": Contrast(105, 10, 22),
    "nerve": Contrast(150, 8, 8),
    "mucosa": Contrast(95, 12, 14),
    "skin and fat": Contrast(190, 20, 22),
    "cortical bone": Contrast(14, 4, 4),
    "marrow": Contrast(150, 20, 20),
}

T2 = BRAIN_T2 | {
    "white matter lesion": Contrast(170, 12, 10),
    "vessel": Contrast(25, 8, 8),
    "choroid plexus": Contrast(180, 12, 12),
    "eye": Contrast(235, 8, 5),
    "soft tissue": Contrast(62, 8, 16),
    "nerve": Contrast(90, 6, 7),
    "mucosa": Contrast(165, 20, 20),
    "skin and fat": Contrast(120, 18, 18),
    "cortical bone": Contrast(10, 3, 3),
    "marrow": Contrast(85, 14, 14),
}

# Long repetition, short echo: all water is bright, grey matter before white.
PD = {
    "air": Contrast(0, 0, 0),
    "csf": Contrast(176, 8, 5),
    "grey matter": Contrast(182, 6, 6),
    "white matter": Contrast(146, 5, 5),
    "white matter lesion": Contrast(190, 8, 8),
    "caudate": Contrast(174, 5, 5),
    "putamen": Contrast(168, 5, 5),
    "pallidum": Contrast(140, 5, 5),
    "thalamus": Contrast(163, 5, 5),
    "cerebellar cortex": Contrast(184, 6, 7),
    "cerebellar white matter": Contrast(150, 5, 6),
    "brain stem": Contrast(154, 5, 6),
    "vessel": Contrast(40, 12, 10),
    "choroid plexus": Contrast(184, 8, 8),
    "eye": Contrast(170, 8, 5),
    "soft tissue": Contrast(120, 10, 18),
    "nerve": Contrast(150, 6, 6),
    "mucosa": Contrast(175, 14, 14),
    "skin and fat": Contrast(160, 16, 18),
    "cortical bone": Contrast(18, 4, 4),
    "marrow": Contrast(130, 16, 16),
}

# Hounsfield units without contrast agent: bone outshines all, the tissues of the brain are close.
CT = {
    "air": Contrast(-1000, 0, 0),
    "csf": Contrast(8, 2, 2),
    "grey matter": Contrast(38, 2, 2),
    "white matter": Contrast(28, 2, 2),
    "white matter lesion": Contrast(22, 2, 3),
    "caudate": Contrast(38, 2, 2),
    "putamen": Contrast(38, 2, 2),
    "pallidum": Contrast(40, 2, 2),
    "thalamus": Contrast(36, 2, 2),
    "cerebellar cortex": Contrast(37, 2, 2),
    "cerebellar white matter": Contrast(28, 2, 2),
    "brain stem": Contrast(29, 2, 2),
    "vessel": Contrast(48, 5, 4),
    "choroid plexus": Contrast(42, 5, 6),
    "eye": Contrast(10, 2, 2),
    "soft tissue": Contrast(50, 6, 12),
    "nerve": Contrast(32, 3, 3),
    "mucosa": Contrast(40, 8, 10),
    "skin and fat": Contrast(-60, 12, 20),
    "cortical bone": Contrast(1100, 100, 120),
    "marrow": Contrast(350, 60, 80),
}
TABLES = {"t1": T1, "t2": T2, "pd": PD, "ct": CT}
