"""The summary of many registrations: `summary.csv` with a row for each pair, and `index.html`."""

import csv
import io
import math
from pathlib import Path
from time import monotonic
from typing import Any

from mmzoo.io.atomic import write_text
from mmzoo.registration.index_page import index_page
from mmzoo.registration.pair_files import PairFiles
from mmzoo.registration.plausibility import DOUBTFUL

SUMMARY, INDEX = "summary.csv", "index.html"
DONE, FAILED, WAITING = "done", "failed", "waiting"
COLUMNS = (
    *("name", "status", "doubts", "dice_before", "dice_linear", "dice_after"),
    *("asd_before_mm", "asd_linear_mm", "asd_after_mm"),
    *("hd95_before_mm", "hd95_linear_mm", "hd95_after_mm"),
    *("tre_before_mm", "tre_linear_mm", "tre_after_mm", "nmi_before", "nmi_linear", "nmi_after"),
    *("share_known", "smallest_determinant", "folding_percent", "seconds"),
    *("error", "fixed", "moving"),
)
Row = dict[str, Any]
PAUSE = 20  # pause between writes, in durations of the last write


def pair_row(pair: PairFiles, **known: Any) -> Row:
    """Return the row of a pair, with given entries."""
    files = {"fixed": pair.fixed, "moving": pair.moving}
    return dict.fromkeys(COLUMNS, "") | {"name": pair.name, "status": WAITING, **files, **known}


def failed_row(pair: PairFiles, reason: str) -> Row:
    """Return the row of a pair that failed."""
    return pair_row(pair, status=FAILED, error=" ".join(reason.split()))


def done_row(pair: PairFiles, report: dict) -> Row:
    """Return the row of a pair by its report."""
    doubts = [note for note in report["notes"] if note.startswith(DOUBTFUL)]
    figures = {"nmi": "nmi_{}", "dice": "dice_{}", "tre_mm": "tre_{}_mm"}
    figures |= {"asd_mm": "asd_{}_mm", "hd95_mm": "hd95_{}_mm"}
    by_stage = {
        column.format(stage): value
        for name, column in figures.items()
        for stage, value in report.get(name, {}).items()
    }
    return pair_row(
        pair,
        status=DONE,
        doubts="; ".join(doubts),
        **{name: round(value, 4) for name, value in by_stage.items() if _known(value)},
        share_known=report["share_known"]["after"],
        smallest_determinant=_rounded(report.get("smallest_determinant"), 3),
        folding_percent=_rounded(report.get("folding_percent"), 4),
        seconds=round(sum(report["seconds"].values()), 1),
    )


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _rounded(value: float | None, digits: int) -> float | str:
    return "" if value is None else round(value, digits)


class Summary:
    """The table of all pairs and its page, atomic writes.

    Both are written when a run starts, when it ends (in any way), and as pairs end. Writing takes
    longer the more pairs there are, so between writes `PAUSE` times the last duration must pass:
    they take at most one twentieth of a run.

    Args:
        out: folder.
        rows: of all pairs by name; they change while pairs end.
    """

    def __init__(self, out: Path, rows: dict[str, Row]):
        self._out, self._rows = out, rows
        self._next = 0.0

    def __enter__(self) -> None:
        self._write()

    def __exit__(self, *error: object) -> None:
        self._write()

    def write_in_time(self) -> None:
        """Write both, if they are due."""
        if monotonic() >= self._next:
            self._write()

    def _write(self) -> None:
        start = monotonic()
        text = io.StringIO()
        table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(self._rows.values())
        page = index_page(self._out, self._rows.values())
        for name, content in ((SUMMARY, text.getvalue()), (INDEX, page)):
            write_text(self._out / name, content)
        end = monotonic()
        self._next = end + PAUSE * (end - start)
