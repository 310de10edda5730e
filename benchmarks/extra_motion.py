"""T1 and PD of one person: a turn and a shift put on the PD image's header, and found again.

    MMZOO_REAL_DATA=... python benchmarks/extra_motion.py

Both pairs are registered, without and with the extra motion; what stands between the two results
is what was found of it. Printed for the rigid stage alone and for all stages, with the seconds.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import mmzoo  # noqa: E402
from benchmarks.registration.brains import move_header  # noqa: E402
from mmzoo.spatial.points import transform_points  # noqa: E402

ANGLES_DEG, SHIFT_MM = (5.0, 10.0, -8.0), (15.0, -10.0, 8.0)
RADIUS_MM = 60.0
STAGES = {"rigid": {"field": "none", "initial": "rigid"}, "all defaults": {}}


def main() -> None:
    """Register the pair as it is and moved, and print what was found."""
    folder = Path(os.environ.get("MMZOO_REAL_DATA", "/nowhere")) / "same-subject-t1-pd"
    if not folder.is_dir():
        raise SystemExit(f"{folder} is not there; name the real volumes by MMZOO_REAL_DATA.")
    fixed, plain = (sitk.ReadImage(str(folder / f"chris_{n}.nii.gz")) for n in ("t1", "PD"))
    extra = sitk.Euler3DTransform()
    extra.SetRotation(*np.deg2rad(ANGLES_DEG).tolist())
    extra.SetTranslation(SHIFT_MM)
    moved = sitk.Image(plain)
    move_header(moved, extra)
    half = [(n - 1) / 2 for n in fixed.GetSize()]
    centre = np.array(fixed.TransformContinuousIndexToPhysicalPoint(half))
    points = ball(centre)
    for name, options in STAGES.items():
        begin = time.perf_counter()
        first = transform_points(mmzoo.register(fixed, plain, **options).transform, points)
        seconds = time.perf_counter() - begin
        second = transform_points(mmzoo.register(fixed, moved, **options).transform, points)
        wanted, start = transform_points(extra, first), transform_points(extra, points) - points
        found, put_on = turn_of(first, second), turn_of(first, wanted)
        left = np.linalg.norm(second - wanted, axis=1)
        print(
            f"{name}: put on {put_on[0]:.2f} degrees and {put_on[1]:.2f} mm at the middle "
            f"(points move {np.linalg.norm(start, axis=1).mean():.1f} mm), found {found[0]:.2f} "
            f"degrees and {found[1]:.2f} mm; left {left.mean():.2f} mm, at most {left.max():.2f}; "
            f"{seconds:.0f} s a registration",
            flush=True,
        )


def ball(centre: np.ndarray) -> np.ndarray:
    """Return points of a ball, (n, 3), mm."""
    line = np.linspace(-RADIUS_MM, RADIUS_MM, 7)
    points = np.stack(np.meshgrid(line, line, line), axis=-1).reshape(-1, 3)
    return points[np.linalg.norm(points, axis=1) <= RADIUS_MM] + centre


def turn_of(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Return the turn, degrees, and the shift of the middle, mm, that fit best (Kabsch)."""
    middles = first.mean(axis=0), second.mean(axis=0)
    turn, _ = Rotation.align_vectors(second - middles[1], first - middles[0])
    return np.rad2deg(turn.magnitude()), float(np.linalg.norm(middles[1] - middles[0]))


if __name__ == "__main__":
    main()
