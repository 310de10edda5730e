"""The files of a registered series: the aligned frames, their motion as table and plot."""

import csv
import json
from pathlib import Path

from mmzoo.io.atomic import folder_of_files
from mmzoo.io.images import write_image
from mmzoo.io.transform_file import write_transform
from mmzoo.registration.output import (
    FILES,
    INVERSE,
    MEAN,
    MOTION,
    PAGE,
    PICTURE,
    PLOT,
    REPORT,
    TRANSFORM,
    WARPED,
)
from mmzoo.registration.series import PARAMETERS, SeriesRegistration
from mmzoo.registration.series_page import COLUMNS, write_series_report


def write_series(found: SeriesRegistration, out: Path, extra: dict | None = None) -> None:
    """Write frames, mean, motion, page and report; those of an earlier run are replaced.

    With a fixed image also forward and backward transform and a picture.

    Args:
        found: the registration.
        out: folder; made if it is not there.
        extra: added to the report, such as the files that were registered.
    """
    with folder_of_files(out, tuple(reversed(FILES))) as partial:  # the report last
        write_image(found.warped, partial / WARPED)
        write_image(found.mean, partial / MEAN)
        with open(partial / MOTION, "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            table.writeheader()
            table.writerows(found.motion)
        draw_motion(partial / PLOT, found.motion)
        report = {**(extra or {}), **found.report}
        write_series_report(partial / PAGE, found, report, (partial / PLOT).read_bytes())
        if found.registration is not None:
            from mmzoo.registration.drawing import draw_registration

            write_transform(found.registration.transform, partial / TRANSFORM)
            write_transform(found.registration.inverse, partial / INVERSE)
            draw_registration(partial / PICTURE, found.registration)
        (partial / REPORT).write_text(json.dumps(report, indent=2) + "\n")


def draw_motion(path: Path, motion: list[dict[str, float]]) -> None:
    """Draw shifts, turns and the mean displacement over the frames."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), layout="constrained")
    axes = figure.subplots(3, sharex=True)
    frames = [row["frame"] for row in motion]
    for part, names, title in (
        (axes[0], PARAMETERS[3:], "shift, mm"),
        (axes[1], PARAMETERS[:3], "turn, degrees"),
    ):
        for name, label in zip(names, ("x, right", "y, front", "z, up"), strict=True):
            part.plot(frames, [row[name] for row in motion], label=label)
        part.set_ylabel(title)
        part.legend(loc="upper left", bbox_to_anchor=(1, 1))
    axes[2].plot(frames, [row["mean_displacement_mm"] for row in motion], color="black")
    axes[2].set_ylabel("mean displacement, mm")
    axes[2].set_xlabel("frame")
    for part in axes:
        part.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
