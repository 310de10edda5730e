"""Write a paper's page of results: README.md, figures, results.csv, claims.json and run.json.

    python benchmarks/engine/paper_page.py --paper mmregnet --scale laptop --out OUT --page FOLDER

OUT is the benchmark's folder. A run without cases is an error that names it; with --partial the
page says what is missing instead.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import sys
from collections.abc import Iterable
from pathlib import Path

if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).parents[2])

from benchmarks.engine import figures, overlays, panels
from benchmarks.engine.case_figure import draw_cases
from benchmarks.engine.claims import judge
from benchmarks.engine.data import PHANTOM, prepared_folders
from benchmarks.engine.origin import describe_run
from benchmarks.engine.outcome import Outcome
from benchmarks.engine.paper import Paper, load_paper
from benchmarks.engine.results import collect
from benchmarks.engine.sections import boxes_of, page_text
from mmzoo.checks import check_choice
from mmzoo.io.atomic import write_text

PICTURES = {
    "cases": draw_cases,
    "overlays": overlays.draw_overlays,
    "registration": panels.draw_registration,
    "stages": panels.draw_stages,
    "line": figures.draw_line,
    "losses": figures.draw_losses,
}


def write_page(
    paper: Paper, out: Path, folder: Path, *, source: str = PHANTOM, partial: bool = False
) -> None:
    """Write the page of what was measured; each file appears whole or not at all.

    Args:
        paper: description and scale.
        out: folder of the benchmark.
        folder: to write to; made if it is absent.
        source: "phantom", or the prepared data's folder, as for `prepared_folders`.
        partial: write the page of what there is although runs are missing.

    Raises:
        ValueError: no run has cases, or one has none and `partial` is false.
    """
    paper = _on_given_data(paper, source)
    results = collect(paper, out)
    if results.missing and not partial:
        folders = ", ".join(run.folder for run in results.missing)
        raise ValueError(
            f"{len(results.missing)} of {len(paper.runs)} runs have no evaluation/cases.csv: "
            f"{folders}; run the benchmark again, or take --partial for a page without them."
        )
    folder.mkdir(parents=True, exist_ok=True)
    outcomes = [judge(claim, results) for claim in paper.content["claims"]]
    drawn = {
        f"{name}.png": PICTURES[name](folder / f"{name}.png", results, out)
        for name in [*pictures_of(paper), "registration", "stages", "line", "losses"]
    }
    for name, entry in boxes_of(results).items():
        contents = entry["figures"], entry.get("data"), entry.get("kind", "box")
        drawn[name] = figures.draw_boxes(folder / name, results, *contents)
    made = describe_run(paper, source)
    write_text(folder / "results.csv", results.cases.to_csv(index=False, float_format="%.5g"))
    write_text(folder / "claims.json", _json(_claims(paper, outcomes)))
    write_text(folder / "run.json", _json(made))
    names = [name for name, is_there in drawn.items() if is_there]
    write_text(folder / "README.md", page_text(results, outcomes, names, made, source))


def pictures_of(paper: Paper) -> list[str]:
    """Return the pictures of cases that a paper asks for, of `PICTURES`.

    Raises:
        ValueError: there is no such picture.
    """
    names = paper.content.get("pictures", ["cases"])
    for name in names:
        check_choice("picture", name, PICTURES)
    return names


def _on_given_data(paper: Paper, source: str) -> Paper:
    """Return the paper cut to the data sets that prepared data hold."""
    found = prepared_folders(paper, source)
    if not found:
        return paper
    scales = {**paper.content["scales"], paper.scale: {**paper.settings, "data": list(found)}}
    return dataclasses.replace(paper, content={**paper.content, "scales": scales})


# === Files ===


def _claims(paper: Paper, outcomes: Iterable[Outcome]) -> list[dict]:
    claims = []
    for claim, outcome in zip(paper.content["claims"], outcomes, strict=True):
        parts = [dataclasses.asdict(part) for part in outcome.parts]
        for part in parts:
            part["p"] = None if math.isnan(part["p"]) else part["p"]
        said = {"quote": claim["quote"], "where": claim["where"]}
        claims.append({**said, **dataclasses.asdict(outcome), "parts": parts})
    return claims


def _json(content) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def main() -> None:
    """Write the page that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--paper", required=True)
    parser.add_argument("--scale", required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the benchmark")
    parser.add_argument("--page", type=Path, required=True, help="folder to write to")
    parser.add_argument("--data", default=PHANTOM, help="phantom, or the prepared folder")
    parser.add_argument("--partial", action="store_true", help="although runs are missing")
    given = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # the loss curves load TensorFlow
    try:
        paper = load_paper(given.paper, given.scale)
        write_page(paper, given.out, given.page, source=given.data, partial=given.partial)
    except (ValueError, OSError) as error:
        raise SystemExit(f"page: {error}") from None


if __name__ == "__main__":
    main()
