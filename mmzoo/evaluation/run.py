"""Evaluating a prediction folder from end to end."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from mmzoo.evaluation.cases import Case, measure_pair
from mmzoo.evaluation.prediction import PredictedPair, PredictionFolder, open_prediction
from mmzoo.evaluation.summary import summarise
from mmzoo.evaluation.tables import markdown
from mmzoo.evaluation.volumes import read_pair
from mmzoo.io.atomic import whole_file, write_text
from mmzoo.io.parallel import run_all

Measured = tuple[list[Case], list[str]]


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        prediction: the folder and its pairs.
        cases: one row a pair, structure and stage (columns of `Case`).
        summary: one row a structure and stage, see `summarise`.
        pictures: PNG files written, the median pair's first; beside each its page, NAME.html.
        out: folder that holds every file written.
        notes: sentences for the user on what was assumed or left out.
    """

    prediction: PredictionFolder
    cases: pd.DataFrame
    summary: pd.DataFrame
    pictures: tuple[Path, ...]
    out: Path
    notes: tuple[str, ...]


def evaluate(
    run: str | Path,
    *,
    out: str | Path | None = None,
    before: bool = True,
    affine: bool = True,
    pictures: int | None = 1,
    structure: str | None = None,
    union: str | None = None,
    overwrite: bool = False,
    jobs: int = 1,
    on_pair: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measure a prediction before registration, after an affine one and after the network's.

    Where several predictions of the same pairs are set side by side, the first two stages need
    to be measured once.

    Writes `cases.csv`, `summary.csv`, `summary.md`, `settings.json`, pictures and a page to look
    around in beside each; each file appears only once it is complete.

    Args:
        run: prediction folder, see `open_prediction`.
        out: folder for the results; `evaluation` in the prediction folder if None.
        before: whether to measure the pairs before registration too.
        affine: whether to register each pair affinely too, see `mmzoo.evaluation.affine`.
        pictures: how many pairs to draw, starting from the one with the median Dice (if unlabelled,
            gain in NMI, or NMI without `before`) and going outwards; None for all, 0 for none.
        structure: structure to cut through in the pictures; the largest if None.
        union: name for all structures together, measured as one more; left out if None.
        overwrite: whether `out` may hold something other than results of this prediction, which
            are made anew.
        jobs: processes; with more than one, a script that calls this needs the usual
            `if __name__ == "__main__":`.
        on_pair: called after each pair with the pairs done and the pairs in all.

    Raises:
        PredictionError: if the folder or one of its files cannot be evaluated.
        ValueError: if `structure`, `union`, `pictures` or `jobs` makes no sense.
    """
    prediction = open_prediction(run)
    _check_options(prediction, structure, union, pictures, jobs)
    if out is not None:
        _check_out(Path(out).expanduser(), prediction, overwrite)
    out = Path(out).expanduser() if out is not None else default_folder(prediction.folder)
    out.mkdir(parents=True, exist_ok=True)
    options = {"before": before, "affine": affine, "union": union}
    rows, notes = _measure(prediction, options, jobs, on_pair)
    cases = pd.DataFrame([asdict(row) for row in rows])
    summary = summarise(cases, union)
    write_text(out / "cases.csv", cases.to_csv(index=False))
    write_text(out / "summary.csv", summary.to_csv(index=False))
    write_text(out / "summary.md", markdown(summary, method=prediction.method))
    notes = [*prediction.notes, *notes]
    single = cases[cases["structure"] != union]
    drawn = _draw(prediction, single, out, pictures, structure, options, notes)
    settings = _settings(prediction, options, structure, drawn, notes)
    write_text(out / "settings.json", json.dumps(settings, indent=2) + "\n")
    return Evaluation(prediction, cases, summary, tuple(drawn), out, tuple(notes))


def default_folder(prediction: Path) -> Path:
    """Return where results go: `evaluation` beside `test`, which the next prediction deletes."""
    return (prediction.parent if prediction.name == "test" else prediction) / "evaluation"


def _check_out(out: Path, prediction: PredictionFolder, overwrite: bool) -> None:
    """Raise ValueError where a folder holds anything but results of the same prediction."""
    if out.is_file():
        raise ValueError(f"{out} is a file; give a folder to write.")
    if overwrite or not out.exists() or not any(out.iterdir()):
        return
    try:
        earlier = json.loads((out / "settings.json").read_text())["prediction"]
    except (OSError, ValueError, KeyError, TypeError):
        earlier = "something that is no evaluation"
    if earlier != str(prediction.folder.resolve()):
        raise ValueError(
            f"{out} holds results of {earlier}, and nothing in it was touched; give another --out, "
            "or --overwrite to replace them."
        )


def _check_options(
    prediction: PredictionFolder,
    structure: str | None,
    union: str | None,
    pictures: int | None,
    jobs: int,
) -> None:
    if structure is not None and structure not in prediction.structures:
        names = ", ".join(prediction.structures) or "none, the pairs are unlabelled"
        raise ValueError(f"`structure` must be one of the structures ({names}), got {structure!r}.")
    if union is not None and (not union or union in prediction.structures):
        raise ValueError(f"`union` must be a name that no structure has, got {union!r}.")
    if pictures is not None and pictures < 0:
        raise ValueError(f"`pictures` must be 0 or more, got {pictures}.")
    if jobs < 1:
        raise ValueError(f"`jobs` must be 1 or more, got {jobs}.")


def _measure(
    prediction: PredictionFolder,
    options: dict,
    jobs: int,
    on_pair: Callable[[int, int], None] | None,
) -> Measured:
    """Measure all pairs; rows and notes come in the order of the pairs, however many jobs."""
    done: dict[int, Measured] = {}
    tasks = [(k, pair, prediction, options) for k, pair in enumerate(prediction.pairs)]
    for index, measured in run_all(_measure_one, tasks, jobs):
        done[index] = measured
        if on_pair is not None:
            on_pair(len(done), len(tasks))
    in_order = [done[index] for index in sorted(done)]
    rows = [row for pair_rows, _ in in_order for row in pair_rows]
    return rows, [note for _, pair_notes in in_order for note in pair_notes]


def _measure_one(
    index: int, pair: PredictedPair, prediction: PredictionFolder, options: dict
) -> tuple[int, Measured]:
    return index, measure_pair(pair, prediction.structures, **options)


def median_order(cases: pd.DataFrame) -> list[str]:
    """Return the pairs by distance from the median result, the median pair first.

    The result is the network's mean Dice over structures, or for unlabelled pairs its gain in
    NMI over "before", or its NMI where that was not measured.
    """
    network = cases[cases["stage"] == "network"].groupby("pair", sort=False)
    score = network["dice"].mean()
    if score.isna().all():
        before = cases[cases["stage"] == "before"].groupby("pair", sort=False)
        score = network["nmi"].mean().sub(before["nmi"].mean(), fill_value=0)
    ranked = list(score.fillna(score.min()).sort_values(kind="stable").index)
    middle = (len(ranked) - 1) // 2
    return sorted(ranked, key=lambda name: abs(ranked.index(name) - middle))


def _draw(
    prediction: PredictionFolder,
    cases: pd.DataFrame,
    out: Path,
    pictures: int | None,
    structure: str | None,
    options: dict,
    notes: list[str],
) -> list[Path]:
    """Draw pairs, each as NAME.png and NAME.html; return the pictures."""
    if pictures == 0:
        return []
    # Loads matplotlib, which takes as long as measuring a small pair.
    from mmzoo.evaluation.picture import draw_pair
    from mmzoo.evaluation.prediction_page import draw_page, tables_of

    pairs = {pair.name: pair for pair in prediction.pairs}
    drawn: list[Path] = []
    for name in median_order(cases)[:pictures]:
        path = out / f"{name}.png"
        rows = cases[cases["pair"] == name]
        title = _title(prediction, rows, first=not drawn)
        data, structures = read_pair(pairs[name]), prediction.structures
        with whole_file(path) as partial:
            draw_pair(partial, data, structures=structures, title=title, structure=structure)
        tables = tables_of(prediction, pairs[name], rows, options)
        heading = title.partition("\n")[0]
        with whole_file(path.with_suffix(".html")) as partial:
            draw_page(
                *(partial, data), structures=structures, title=heading, tables=tables, notes=notes
            )
        drawn.append(path)
    return drawn


def _title(prediction: PredictionFolder, rows: pd.DataFrame, *, first: bool) -> str:
    """Return the heading of a picture: which pair it is, then its figures, before -> after."""
    case = rows.iloc[0]
    names = f": {case['moving']} (moving) to {case['fixed']} (fixed)" if case["moving"] else ""
    note = f", the median of {len(prediction.pairs)}" if first and len(prediction.pairs) > 1 else ""
    figures = {stage: block for stage, block in rows.groupby("stage")}
    parts = []
    if rows["dice"].notna().any():
        parts.append("mean Dice " + _change(figures, "dice", 3))
        parts.append("mean ASD " + _change(figures, "asd_mm", 2) + " mm")
    else:
        parts.append("NMI " + _change(figures, "nmi", 4))
        parts.append("gradient similarity " + _change(figures, "gradient_similarity", 4))
    network = figures["network"].iloc[0]
    parts.append(f"folding {network['folding_percent']:.3f} %")
    return f"{prediction.method}, {case['pair']}{names}{note}\n" + "     ".join(parts)


def _change(figures: dict[str, pd.DataFrame], column: str, digits: int) -> str:
    means = {stage: block[column].mean() for stage, block in figures.items()}
    text = f"{means['before']:.{digits}f} → " if "before" in means else ""
    text += f"{means['network']:.{digits}f}"
    return text + (f" (affine {means['affine']:.{digits}f})" if "affine" in means else "")


def _settings(
    prediction: PredictionFolder,
    options: dict,
    structure: str | None,
    drawn: list[Path],
    notes: list[str],
) -> dict:
    return {
        "prediction": str(prediction.folder.resolve()),
        "method": prediction.method,
        "checkpoint": prediction.checkpoint,
        "pairs": len(prediction.pairs),
        "structures": list(prediction.structures),
        **options,
        "label_warping": "linear interpolation, threshold 0.5",
        "average_surface_distance": "mean of both directed, area-weighted averages",
        "mean_surface_distance": "area-weighted average over both surfaces pooled",
        "picture_structure": structure,
        "pictures": [path.name for path in drawn],
        "notes": notes,
    }
