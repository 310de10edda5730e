"""Two images in, one transform out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import SimpleITK as sitk

from mmzoo.registration.deform import fit_lattice
from mmzoo.registration.frame import Pair, choose_box, level_shapes
from mmzoo.registration.level import make_level
from mmzoo.registration.linear import register_linear
from mmzoo.registration.settings import Settings
from mmzoo.registration.transform import composite, lattice_displacement


def align(pair, settings=Settings(), report=lambda *_: None):
    seconds = {}; t = time.perf_counter(); p = time.process_time()
    def lap(name):
        nonlocal t, p
        seconds[name] = (time.perf_counter() - t, time.process_time() - p)
        t = time.perf_counter(); p = time.process_time()
    linear, notes = register_linear(pair, settings.initial, settings.seed)
    lap("linear")
    box = choose_box(pair, settings.resolution_mm, settings.max_voxels)
    levels = [make_level(pair, linear, box, shape) for shape in level_shapes(box)]
    lap("levels")
    lattice = fit_lattice(levels, settings, report)
    lap("field")
    displacement = lattice_displacement(lattice, pair.fixed, box, box.spacing_mm)
    transform = composite(linear, displacement)
    lap("transform")
    return transform, linear, displacement, box, seconds
