"""The methods, each from two images in space to one transform of points.

All but "ANTs affine" and "ANTs SyN, defaults" start from the same rigid and affine stage, that of
mmzoo register, and its seconds count for each: what is compared is the field.
"""

import functools
import os
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import SimpleITK as sitk

from benchmarks.memory import resident_mb
from benchmarks.registration.pair import BenchmarkPair
from mmzoo.metrics import folding_fraction, jacobian_determinant

Found = tuple[sitk.Transform, list[str]]  # with the notes that a method gives of its result

# As ANTsPy has it by default but for the last level, which by default does nothing.
SYN: dict[str, Any] = {
    "type_of_transform": "SyNOnly",
    "syn_metric": "mattes",
    "reg_iterations": (40, 20, 20),
}
LONG_SYN: dict[str, Any] = {**SYN, "reg_iterations": (100, 70, 40)}
ELASTIX: dict[str, Any] = {
    "metric": "AdvancedMattesMutualInformation",
    "bins": 32,
    "iterations": 250,
    "samples": 4096,
    "grid_spacing_mm": 12.0,
}


def affine(pair: BenchmarkPair) -> Found:
    import mmzoo

    found = mmzoo.register(pair.fixed, pair.moving, initial=pair.initial, field="none")
    return found.linear, found.report["notes"]


def mmzoo_register(pair: BenchmarkPair) -> Found:
    import mmzoo

    found = mmzoo.register(pair.fixed, pair.moving, initial=pair.initial)
    return found.transform, found.report["notes"]


def ants(pair: BenchmarkPair, own_start: bool = False, **options) -> Found:
    """Run ANTs, from the affine stage of mmzoo register or from its own start."""
    import ants

    os.environ["ANTS_RANDOM_SEED"] = "1"
    images = [to_ants(ants, image) for image in (pair.fixed, pair.moving)]
    with tempfile.TemporaryDirectory() as folder:
        prefix, start = os.path.join(folder, ""), os.path.join(folder, "start.mat")
        if not own_start:
            sitk.WriteTransform(_as_affine(affine(pair)[0]), start)
            options["initial_transform"] = start
        found = ants.registration(*images, outprefix=prefix, **options)
        whole = ants.apply_transforms(*images, found["fwdtransforms"], compose=prefix)
        field = sitk.ReadImage(whole, sitk.sitkVectorFloat64)
    return sitk.DisplacementFieldTransform(field), []


def _as_affine(transform: Any) -> sitk.AffineTransform:
    from mmzoo.evaluation.affine import as_affine

    return as_affine(transform)


def to_ants(ants, image: sitk.Image):
    return ants.from_numpy(
        sitk.GetArrayFromImage(image).T.astype(np.float32),
        origin=list(image.GetOrigin()),
        spacing=list(image.GetSpacing()),
        direction=np.array(image.GetDirection()).reshape(3, 3),
    )


def elastix(pair: BenchmarkPair) -> Found:
    import itk

    from mmzoo.baselines.elastix import ElastixSettings, parameter_maps, run_elastix

    parameters = itk.ParameterObject.New()
    for stage in parameter_maps(ElastixSettings(**ELASTIX)):
        parameters.AddParameterMap(stage)
    images = [_to_itk(itk, image) for image in (pair.fixed, pair.moving)]
    method = itk.ElastixRegistrationMethod.New(*images)
    method.SetParameterObject(parameters)
    method.SetExternalInitialTransform(_to_itk_affine(itk, affine(pair)[0]))
    run_elastix(method)
    field = itk.transform_to_displacement_field_filter(
        method.GetCombinationTransform(), use_reference_image=True, reference_image=images[0]
    )
    vectors = sitk.GetImageFromArray(itk.array_from_image(field).astype(np.float64), isVector=True)
    vectors.CopyInformation(pair.fixed)
    return sitk.DisplacementFieldTransform(vectors), []


def convex_adam(pair: BenchmarkPair) -> Found:
    """ConvexAdam with its defaults, on the fixed image's voxels, from the affine stage."""
    import torch
    from convexAdam.convex_adam_MIND import convex_adam_pt

    from mmzoo.registration.transform import displacement_image

    linear, _ = affine(pair)
    least = float(sitk.GetArrayViewFromImage(pair.moving).min())
    moved = sitk.Resample(pair.moving, pair.fixed, linear, sitk.sitkLinear, least)
    arrays = [sitk.GetArrayFromImage(each).T.astype(np.float32) for each in (pair.fixed, moved)]
    # Voxels, on the fixed grid. Half the precision, its default, is for GPUs.
    vectors = convex_adam_pt(*arrays, device=torch.device("cpu"), dtype=torch.float32)
    direction = np.array(pair.fixed.GetDirection()).reshape(3, 3)
    mm = (vectors * np.array(pair.fixed.GetSpacing())) @ direction.T
    found = displacement_image(mm, pair.fixed)
    whole = sitk.CompositeTransform([linear, sitk.DisplacementFieldTransform(found)])
    return whole, []


def by_preset(pair: BenchmarkPair, name: str, refine: int = 0) -> Found:
    import mmzoo

    found = mmzoo.register(pair.fixed, pair.moving, initial=pair.initial, model=name, refine=refine)
    return found.transform, found.report["notes"]


def _to_itk(itk, image: sitk.Image):
    made = itk.image_from_array(sitk.GetArrayFromImage(image).astype(np.float32))
    made.SetOrigin(image.GetOrigin())
    made.SetSpacing(image.GetSpacing())
    made.SetDirection(np.array(image.GetDirection()).reshape(3, 3))
    return made


def _to_itk_affine(itk, transform: sitk.Transform):
    plain = _as_affine(transform)
    made = itk.AffineTransform[itk.D, 3].New()
    made.SetFixedParameters(_parameters(itk, plain.GetFixedParameters()))
    made.SetParameters(_parameters(itk, plain.GetParameters()))
    return made


def _parameters(itk, values):
    found = itk.OptimizerParameters[itk.D](len(values))
    for index, value in enumerate(values):
        found[index] = value
    return found


METHODS: dict[str, Callable[[BenchmarkPair], Found]] = {
    "affine": affine,
    "mmzoo register": mmzoo_register,
    "ANTs affine": functools.partial(ants, own_start=True, type_of_transform="Affine"),
    "ANTs SyN, defaults": functools.partial(ants, own_start=True, type_of_transform="SyN"),
    "ANTs SyN": functools.partial(ants, **SYN),
    "ANTs SyN, 100x70x40": functools.partial(ants, **LONG_SYN),
    "elastix": elastix,
    "ConvexAdam": convex_adam,
}
REFINED = ", refined"  # behind the name of a preset: the direct method goes on from its field
STEPS = 30


def method_of(name: str) -> Callable[[BenchmarkPair], Found]:
    """Return the method of that name, one of `METHODS` or a preset."""
    if name in METHODS:
        return METHODS[name]
    preset = name.removesuffix(REFINED)
    return functools.partial(by_preset, name=preset, refine=STEPS if preset != name else 0)


def measure(method: str, pair: BenchmarkPair) -> dict:
    """Run a method in this process, a fresh one, and return its figures.

    Seconds and processor seconds are from before the method's library is imported until there is a
    transform; memory is the most that the process has held, less what it held before.
    """
    before = resident_mb()
    wall, processor = time.perf_counter(), time.process_time()
    transform, notes = method_of(method)(pair)
    seconds, processor = time.perf_counter() - wall, time.process_time() - processor
    memory = resident_mb() - before
    dice, tre = pair.score(transform)
    return {
        "dice": dice,
        "tre_mm": tre,
        "folding_percent": 100 * folding(transform, pair.fixed),
        "seconds": seconds,
        "processor_seconds": processor,
        "memory_mb": memory,
        "notes": notes,
    }


def before_registration(pair: BenchmarkPair) -> dict:
    dice, tre = pair.score(sitk.Transform(3, sitk.sitkIdentity))
    return {"dice": dice, "tre_mm": tre}


def folding(transform: sitk.Transform, grid: sitk.Image) -> float:
    """Return the share of the fixed image's voxels where the whole transform folds."""
    field = sitk.TransformToDisplacementField(
        transform, sitk.sitkVectorFloat64, grid.GetSize(), grid.GetOrigin(), grid.GetSpacing(),
        grid.GetDirection(),
    )  # fmt: skip
    direction = np.array(grid.GetDirection()).reshape(3, 3)
    vectors = sitk.GetArrayFromImage(field).transpose(2, 1, 0, 3) @ direction
    return folding_fraction(jacobian_determinant(vectors / np.array(grid.GetSpacing())))


def settings() -> dict:
    """Return what was set, for the page."""
    from importlib.metadata import version
    from importlib.util import find_spec

    import mmzoo
    from mmzoo.registration.settings import Settings as Ours
    from mmzoo.registration.similarity import LOSSES

    ours = Ours()
    said = {
        "mmzoo register": f"mmzoo {mmzoo.__version__}, all defaults: {ours.loss}, {ours.initial}, "
        f"{ours.field}, control points {ours.control_mm:g} mm apart, weight "
        f"{LOSSES[ours.loss].weight:g} mm^2, at most {ours.max_voxels:,} voxels, "
        f"{ours.steps[0]} and {ours.steps[1]} steps",
        "affine": "the rigid and affine stage of mmzoo register alone; the others start from it",
        "ANTs affine": f"ANTsPy {version('antspyx')}, its own start, all its defaults",
        "ANTs SyN, defaults": "the same: from its own affine stage, mattes, (40, 20, 0) iterations",
        "ANTs SyN": f"ANTsPy {version('antspyx')}, {SYN}, the rest its defaults",
        "ANTs SyN, 100x70x40": f"{LONG_SYN}, the rest its defaults",
        "elastix": f"itk-elastix {version('itk-elastix')}, a B-spline, {ELASTIX}, the rest as "
        "mmzoo/baselines/elastix.py has it",
    }
    if find_spec("convexAdam"):
        said["ConvexAdam"] = f"convexAdam {version('convexAdam')}, its defaults, in float32"
    return said
