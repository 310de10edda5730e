"""Write a paper's page of results: README.md, figures, results.csv, claims.json and run.json.

    python benchmarks/engine/page.py --paper mmregnet --scale laptop --out OUT --page FOLDER

OUT is the benchmark's folder. A run without cases is an error that names it; with --partial the
page says what is missing instead.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import importlib.metadata
import json
import math
import os
import platform
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path

if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).parents[2])

from benchmarks.engine import figures, overlays, panels, ranks, tables, turned
from benchmarks.engine.claims import judge
from benchmarks.engine.data import PHANTOM, prepared_folders
from benchmarks.engine.folding import FOLDED
from benchmarks.engine.freshness import hash_sources
from benchmarks.engine.outcome import HELD, NOT_HELD, NOT_TESTABLE, Outcome, Part
from benchmarks.engine.paper import PAPERS, ROOT, SEED, Paper, Run, load_paper
from benchmarks.engine.results import FIGURES, SHOWN, Results, collect, name_folds
from mmzoo.checks import check_choice
from mmzoo.config_merge import merge, merge_files
from mmzoo.io.atomic import whole_file

PACKAGES = {
    "mmzoo": "mmzoo",
    "TensorFlow": "tensorflow",
    "DeepReg": "deepreg",
    "NumPy": "numpy",
    "ANTsPy": "antspyx",
    "itk-elastix": "itk-elastix",
}
PICTURES = {
    "cases": figures.draw_cases,
    "overlays": overlays.draw_overlays,
    "registration": panels.draw_registration,
    "stages": panels.draw_stages,
    "line": figures.draw_line,
    "losses": figures.draw_losses,
}
LENGTH = ("train.epochs", "train.steps_per_epoch", "train.save_period")
SOURCES = ("mmzoo", "configs", "benchmarks/engine", "benchmarks/papers", "benchmarks/Snakefile")


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
        names = ", ".join(run.folder for run in results.missing)
        raise ValueError(
            f"{len(results.missing)} of {len(paper.runs)} runs have no evaluation/cases.csv: "
            f"{names}; run the benchmark again, or take --partial for a page without them."
        )
    folder.mkdir(parents=True, exist_ok=True)
    outcomes = [judge(claim, results) for claim in paper.content["claims"]]
    drawn = {
        f"{name}.png": PICTURES[name](folder / f"{name}.png", results, out)
        for name in [*pictures_of(paper), "registration", "stages", "line", "losses"]
    }
    for name, entry in _boxes(results).items():
        shown = entry["figures"], entry.get("data"), entry.get("kind", "box")
        drawn[name] = figures.draw_boxes(folder / name, results, *shown)
    made = describe_run(paper, source)
    _write(folder / "results.csv", results.cases.to_csv(index=False, float_format="%.5g"))
    _write(folder / "claims.json", _json(_claims(paper, outcomes)))
    _write(folder / "run.json", _json(made))
    names = [name for name, is_there in drawn.items() if is_there]
    _write(folder / "README.md", page_text(results, outcomes, names, made, source))


def pictures_of(paper: Paper) -> list[str]:
    """Return the pictures of cases that a paper asks for, of `PICTURES`.

    Raises:
        ValueError: there is no such picture.
    """
    names = paper.content.get("pictures", ["cases"])
    for name in names:
        check_choice("picture", name, PICTURES)
    return names


def page_text(
    results: Results, outcomes: list[Outcome], drawn: list[str], made: dict, source: str = PHANTOM
) -> str:
    """Return the page in Markdown.

    Args:
        results: what was measured.
        outcomes: of the paper's claims, in their order.
        drawn: figures that there are.
        made: from `describe_run`.
        source: of the data.
    """
    paper = results.paper
    content = paper.content
    blocks = [
        f"# {content['title']}",
        f"{content['authors']}, {content['year']}. Reproduced at the {paper.scale} scale by",
        f"```bash\n{made['command']}\n```",
        _missing(results),
        _verdicts(outcomes, content["claims"]),
        "## What this page leaves out of the paper's protocol",
        "\n".join(f"- {line}" for line in left_out(results, source)),
        _settings(paper),
        "## Tables",
        f"Measured on phantoms in the place of {_names(paper)}." if source == PHANTOM else "",
        *_tables(results),
        "## Figures",
        *_figures(results, drawn),
        "## Claims",
        *_claim_sections(content["claims"], outcomes),
        "## How it was made",
        _made(results, made, source),
    ]
    return "\n\n".join(block.strip("\n") for block in blocks if block) + "\n"


def left_out(results: Results, source: str = PHANTOM) -> list[str]:
    """Return how this scale differs from the paper's protocol, from the description and the runs.

    Args:
        results: what was measured.
        source: of the data.
    """
    paper = results.paper
    lines, every = [], paper.content["data"]
    if source == PHANTOM:
        said = "; ".join(
            f"`{paper.phantom_command(name)}` for {data['title']}"
            for name, data in paper.every_data.items()
            if name in paper.data or name in paper.content.get("training", {})
        )
        lines.append(f"Phantoms, not the paper's images: {said}.")
        for what, of in (("Voxels along each axis", _voxels), ("People", _people)):
            lines += _differing(paper, what, of)
    lines += _differing(paper, "Folds tested", lambda own, data: len(own.test_folds(data)))
    absent = [data["title"] for name, data in every.items() if name not in paper.data]
    if absent:
        lines.append(f"Data sets left out: {'; '.join(absent)}.")
    kinds = {row.kind for row in paper.rows.values()}
    if "rows" in paper.content.get("ablations", {}) and "ablation" not in kinds:
        lines.append("The ablations are left out.")
    if "grid" in paper.content.get("ablations", {}) and "grid" not in kinds:
        lines.append("The grid of settings is left out.")
    return [*lines, *_shorter_training(results), *_fewer_pairs(results)]


def describe_run(paper: Paper, source: str = PHANTOM) -> dict:
    """Return what made a page: command, seeds, versions, machine, date, commit and file hashes."""
    name = paper.name if paper.path.parent == PAPERS else paper.path.name
    command = f"make benchmark PAPER={name} SCALE={paper.scale}"
    reference = next(run for run in paper.runs if run.row == paper.content["reference"])
    config = merge_files(paper.config_files(reference))
    seeds = {"phantoms": SEED, "training": config.get("train", {}).get("seed")}
    return {
        "paper": paper.name,
        "scale": paper.scale,
        "command": command + ("" if source == PHANTOM else f" DATA={Path(source).name}"),
        "seeds": seeds,
        "versions": _versions(),
        "machine": _machine(),
        "date": datetime.date.today().isoformat(),
        "commit": _commit(),
        "hashes": hash_sources(paper.name, ROOT),
    }


# === What is left out ===


def _differing(paper: Paper, what: str, of: Callable[[Paper, str], object]) -> list[str]:
    """Return how a number of each data set differs from the paper's scale, once where alike."""
    full, groups = dataclasses.replace(paper, scale="paper"), {}
    for name, data in paper.data.items():
        groups.setdefault((of(paper, name), of(full, name)), []).append(data["title"])
    lines = []
    for (here, wanted), titles in groups.items():
        where = f" ({'; '.join(titles)})" if len(groups) > 1 else ""
        lines += [f"{what}: {here} instead of {wanted}{where}."] if here != wanted else []
    return lines


def _voxels(paper: Paper, data: str) -> str:
    size = [str(voxels) for voxels in paper.size(data)]
    return size[0] if len(set(size)) == 1 else " x ".join(size)


def _people(paper: Paper, data: str) -> int:
    return paper.setting("cases", data)


def _shorter_training(results: Results) -> list[str]:
    """Return one line for each pair of lengths, measured and the paper's, with its rows."""
    paper, lengths = results.paper, {}
    for trained in results.training.itertuples():
        run = Run(trained.data, trained.row, int(trained.fold))
        train = merge_files(paper.config_files(run)).get("train", {})
        full = train.get("epochs", 0) * train.get("steps_per_epoch", 0)
        row = paper.rows[trained.row]
        title = "the grid" if row.kind == "grid" else row.title
        places = lengths.setdefault(title, {}).setdefault((int(trained.steps), full), [])
        places.append(paper.data[trained.data]["title"])
    groups: dict = {}
    for title, own in lengths.items():
        for length, places in own.items():
            where = f" ({'; '.join(dict.fromkeys(places))})" if len(own) > 1 else ""
            groups.setdefault(length, []).append(title + where)
    return [
        f"{here:,} training steps instead of {full:,}: {', '.join(titles)}."
        for (here, full), titles in groups.items()
        if here != full
    ]


def _fewer_pairs(results: Results) -> list[str]:
    """Return a line on the rows that hold only a part of the pairs of the reference."""
    paper, titles = results.paper, []
    reference = paper.content["reference"]
    for row in paper.rows.values():
        for run in (run for run in paper.runs if run.row == row.name):
            own, every = (
                len(results.per_pair(name, run.data, "dice", [run.fold]))
                for name in (row.name, reference)
            )
            if 0 < own < every:
                titles.append(row.title)
    names = ", ".join(dict.fromkeys(titles))
    return [f"Only a part of the test pairs, see the tables: {names}."] if names else []


def _settings(paper: Paper) -> str:
    """Return a table of what the scale changes in the configurations, beside their length."""
    groups: dict = {}
    for run in paper.runs:
        row = paper.rows[run.row]
        if row.kind == "row":
            full = _flat(merge_files(paper.config_files(run)))
            here = merge_files([*paper.config_files(run), *paper.scale_files()])
            here = _flat(merge(here, paper.overrides(run)))
            kind = "baseline" if paper.is_conventional(run) else "train"
            for key in sorted(full.keys() | here.keys()):
                ours = key.startswith(kind) and key not in LENGTH
                if ours and full.get(key) != here.get(key):
                    change = (key, str(full.get(key, "–")), str(here.get(key, "–")))
                    groups.setdefault(change, []).append(row.title)
    if not groups:
        return ""
    body = [
        [f"`{key}`", full, here, ", ".join(dict.fromkeys(titles))]
        for (key, full, here), titles in groups.items()
    ]
    head = "Settings that the scale changes, beside the length of the training:\n\n"
    return head + tables.markdown(["setting", "paper's scale", paper.scale, "rows"], body, text=4)


def _flat(config: dict, prefix: str = "") -> dict:
    """Return nested settings with dots in their keys."""
    flat = {}
    for key, value in config.items():
        nested = isinstance(value, dict)
        flat |= _flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return flat


# === Sections ===


def _missing(results: Results) -> str:
    if not results.missing:
        return ""
    names = name_folds(results.missing, "data", "row")
    count = f"{len(results.missing)} of {len(results.paper.runs)}"
    return f"**Incomplete: {count} runs failed or were not made:** {names}."


def _verdicts(outcomes: list[Outcome], claims: list[dict]) -> str:
    counts = ", ".join(
        f"{sum(outcome.verdict == verdict for outcome in outcomes)} {verdict}"
        for verdict in (HELD, NOT_HELD, NOT_TESTABLE)
    )
    body = [
        [f"{number}. {textwrap.shorten(claim['quote'], 110, placeholder=' …')}", outcome.verdict]
        for number, (claim, outcome) in enumerate(zip(claims, outcomes, strict=True), start=1)
    ]
    head = f"Of the paper's {len(claims)} claims [below](#claims): {counts}.\n\n"
    return head + tables.markdown(["claim", "verdict"], body, text=2)


def _tables(results: Results) -> list[str]:
    blocks = []
    plain = tables.paper_tables(results)
    for heading, table in {**plain, **turned.turned_tables(results)}.items():
        blocks += [f"### {heading}", table]
    blocks += [tables.legend(results)] if plain else []
    blocks += ranks.ranking_blocks(results)
    ablations = tables.ablation_table(results)
    if ablations:
        said = _where(results.paper, "ablation")
        blocks += ["### Ablations", f"{said}, the reference on the same.", ablations]
    grid = tables.grid_table(results)
    if grid:
        said = f"{_where(results.paper, 'grid')}: Dice % over pairs and structures"
        said += ", best in bold." if "**" in grid else "."
        blocks += ["### Grid of settings", said, grid]
    return blocks


def _names(paper: Paper) -> str:
    return "; ".join(data["title"] for data in paper.data.values())


def _where(paper: Paper, kind: str) -> str:
    """Return the data and folds that a kind of row runs on."""
    runs = [run for run in paper.runs if paper.rows[run.row].kind == kind]
    data = ", ".join(dict.fromkeys(paper.data[run.data]["title"] for run in runs))
    return f"{data}, fold {', '.join(str(fold) for fold in sorted({run.fold for run in runs}))}"


def _boxes(results: Results) -> dict[str, dict]:
    """Return the description's figures of box plots."""
    default = {"boxes.png": {"caption": "Dice and ASD of all pairs", "figures": SHOWN}}
    return results.paper.content.get("boxes", default)


def _figures(results: Results, drawn: list[str]) -> list[str]:
    reference = results.title(results.paper.content["reference"])
    captions = {
        "cases.png": (
            f"The case with {reference}'s median Dice, of the pairs that all methods have: fixed "
            "image with the contour of its label (blue) and of the moving label (red) before "
            f"registration and after each method's; last the image that {reference} warped. "
            "Patient's right is on the left."
        ),
        "overlays.png": (
            f"As the paper's Figures 4.3 to 4.5: the case with {reference}'s median Dice over all "
            "labels. From top to bottom: fixed image (blue) with moving and with warped image "
            "(orange); the difference that the warp makes; labels of the fixed image (green), of "
            "the moving one (red) and warped (yellow); Jacobian determinant (red below 1, blue "
            "above), and its histogram within the fixed labels."
        ),
        "line.png": (
            "As the paper's Figure 4.1: folding along the grid of settings, and Dice beside it."
        ),
        "registration.png": (
            f"The case with {reference}'s median Dice: fixed, moving and warped images; below each "
            "its field, as lines that are straight in the moving image, below the moving image the "
            "true field, where it is known."
        ),
        "stages.png": (
            f"The case with {reference}'s median Dice as training goes on: warped and translated "
            "image after each of some epochs. In the claims `translation L1` is the mean "
            "difference of translated and fixed image, `edges kept` the gradient similarity of "
            "translated and warped image (1: edges of the same directions)."
        ),
        **{
            name: f"{entry['caption']}; {reference} in blue."
            for name, entry in _boxes(results).items()
        },
        "losses.png": (
            "Loss of the trainings, a line for each fold; dashed on validation pairs, if any."
        ),
    }
    return [f"![{name}]({name})\n\n{text}" for name, text in captions.items() if name in drawn]


def _claim_sections(claims: Iterable[dict], outcomes: Iterable[Outcome]) -> list[str]:
    blocks = []
    for number, (claim, outcome) in enumerate(zip(claims, outcomes, strict=True), start=1):
        reason = outcome.reason
        if reason and not reason.endswith("."):
            reason = f"{reason[0].upper()}{reason[1:]}."
        where = f"{claim['where'][0].upper()}{claim['where'][1:]}."
        test = f"Test: {outcome.test}" if outcome.test else ""
        blocks += [
            f"### {number}. {outcome.verdict.capitalize()}",
            f"> {claim['quote']}",
            " ".join(text for text in (where, test, reason) if text),
        ]
        if outcome.parts:
            blocks.append(_part_table(outcome.parts))
    return blocks


def _part_table(parts: tuple[Part, ...]) -> str:
    header = ["at", "figure", parts[0].row, "compared with", "its", "difference", "p", "n", "holds"]
    digits = {figure.heading: figure.digits for figure in FIGURES.values()}
    digits |= dict.fromkeys((FOLDED, ranks.PREFERRED), 0)
    body = []
    for part in parts:
        style = ".3g" if math.isnan(part.p) else f".{digits[part.figure]}f"
        means = [f"{value:{style}}" for value in (part.mean, part.other_mean, part.difference)]
        p = tables.NONE if math.isnan(part.p) else f"{part.p:.2g}"
        holds = "yes" if part.holds else "no"
        first = [part.at, part.figure, means[0], part.other, *means[1:]]
        body.append([*first, p, str(part.n), holds])
    return tables.markdown(header, body, text=2)


def _made(results: Results, made: dict, source: str) -> str:
    machine, seeds = made["machine"], made["seeds"]
    threads = sorted(set(results.training["threads"].dropna().astype(int)))
    seed = f"training {seeds['training']}"
    seed = f"phantoms {seeds['phantoms']}, {seed}" if source == PHANTOM else seed
    body = [
        ["command", f"`{made['command']}`"],
        ["date", made["date"]],
        ["commit", made["commit"]],
        ["seeds", seed],
        ["versions", ", ".join(f"{name} {number}" for name, number in made["versions"].items())],
        ["machine", f"{machine['cores']} cores, {machine['cpu']}, {machine['memory_gb']} GB"],
    ]
    if threads:
        body.append(["threads a training", ", ".join(str(count) for count in threads)])
    files = (
        "[results.csv](results.csv) holds every case, [claims.json](claims.json) the tests, "
        "[run.json](run.json) a hash of each file that made this page; "
        "`python benchmarks/engine/freshness.py` says whether they are today's."
    )
    return f"{tables.markdown(['', ''], body, text=2)}\n{files}"


# === What made it ===


def _on_given_data(paper: Paper, source: str) -> Paper:
    """Return the paper cut to the data sets that prepared data hold."""
    found = prepared_folders(paper, source)
    if not found:
        return paper
    scales = {**paper.content["scales"], paper.scale: {**paper.settings, "data": list(found)}}
    return dataclasses.replace(paper, content={**paper.content, "scales": scales})


def _versions() -> dict[str, str]:
    versions = {"Python": platform.python_version()}
    for title, package in PACKAGES.items():
        try:
            versions[title] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _machine() -> dict:
    """Return cores, processor and memory, as far as the system tells."""
    cpu = platform.processor() or platform.machine()
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.is_file():
        named = [row for row in cpu_info.read_text().splitlines() if row.startswith("model name")]
        cpu = named[0].split(":", 1)[1].strip() if named else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cores": os.cpu_count(), "cpu": cpu, "memory_gb": round(memory / 2**30)}


def _commit() -> str:
    """Return the commit, and whether what made the page is committed."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        commit = git("rev-parse", "--short=12", "HEAD")
        changed = git("status", "--porcelain", "--", *SOURCES)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + (" with uncommitted changes" if changed else "")


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


def _write(path: Path, text: str) -> None:
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


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
