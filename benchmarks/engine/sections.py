"""The text of a paper's page, section by section, in Markdown."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable

from benchmarks.engine import ranks, tables, turned
from benchmarks.engine.data import PHANTOM
from benchmarks.engine.folding import FOLDED
from benchmarks.engine.grid import grid_tables
from benchmarks.engine.left_out import changed_settings, left_out
from benchmarks.engine.measures import FIGURES, SHOWN
from benchmarks.engine.outcome import HELD, NOT_HELD, NOT_TESTABLE, Outcome, Part
from benchmarks.engine.paper import Paper, Run
from benchmarks.engine.results import Results, name_folds


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
        changed_settings(paper),
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
    for number, (data, grid) in enumerate(grid_tables(results).items()):
        folds = sorted({run.fold for run in _runs(results.paper, "grid")})
        said = f"{data}, fold {', '.join(map(str, folds))}: Dice % over pairs and structures"
        said += ", best in bold." if "**" in grid else "."
        blocks += [*([] if number else ["### Grid of settings"]), said, grid]
    return blocks


def _names(paper: Paper) -> str:
    return "; ".join(data["title"] for data in paper.data.values())


def _runs(paper: Paper, kind: str) -> list[Run]:
    return [run for run in paper.runs if paper.rows[run.row].kind == kind]


def _where(paper: Paper, kind: str) -> str:
    """Return the data and folds that a kind of row runs on."""
    runs = _runs(paper, kind)
    data = ", ".join(dict.fromkeys(paper.data[run.data]["title"] for run in runs))
    return f"{data}, fold {', '.join(str(fold) for fold in sorted({run.fold for run in runs}))}"


def boxes_of(results: Results) -> dict[str, dict]:
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
            for name, entry in boxes_of(results).items()
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
    header = ["at", "figure", "method", "its", "compared with", "its"]
    header += ["difference", "p", "n", "holds"]
    digits = {figure.heading: figure.digits for figure in FIGURES.values()}
    digits |= dict.fromkeys((FOLDED, ranks.PREFERRED), 0)
    body = []
    for part in parts:
        style = ".3g" if math.isnan(part.p) else f".{digits[part.figure]}f"
        means = [f"{value:{style}}" for value in (part.mean, part.other_mean, part.difference)]
        p = tables.NONE if math.isnan(part.p) else f"{part.p:.2g}"
        holds = "yes" if part.holds else "no"
        first = [part.at, part.figure, part.row, means[0], part.other, *means[1:]]
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
