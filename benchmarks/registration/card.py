"""The card of a preset: what it is, how it was trained, its figures, where it fails."""

from pathlib import Path

import numpy as np

from benchmarks.registration.methods import REFINED, STEPS, settings
from mmzoo.report.markdown import markdown_table

DOCS = Path(__file__).resolve().parents[2] / "docs"
COLUMNS = (
    ("dice", "Dice", 3),
    ("tre_mm", "TRE mm", 2),
    ("folding_percent", "folding %", 3),
    ("processor_seconds", "processor s", 0),
)


def write_card(name: str, results: list[dict], failed: list[dict], log: Path | None) -> Path:
    """Write docs/presets/NAME.md, and the curve of the training if its log folder is given."""
    page = DOCS / "presets" / f"{name}.md"
    page.parent.mkdir(exist_ok=True)
    curve = DOCS / "images" / f"preset_{name}.png"
    if log is not None:
        draw_curve(log, curve)
    parts = [_about(name), _training(name, curve), _figures(name, results, failed)]
    page.write_text("\n".join(parts))
    return page


def _about(name: str) -> str:
    from mmzoo.deepreg import presets

    path = presets.paths()[name]
    about = presets.read_about(path)
    weights = sum(weight.size for weight in presets.read_weights(path))
    megabytes = path.stat().st_size / 1e6
    size = " x ".join(map(str, about.image_size))
    step = " x ".join(f"{length:g}" for length in about.spacing_mm or ())
    return f"""# {name}

{about.title}.

```sh
mmzoo register --fixed ct.nii.gz --moving mr.nii.gz --model {name} --out aligned
mmzoo register --fixed ct.nii.gz --moving mr.nii.gz --model {name} --refine {STEPS} --out refined
```

In Python: `mmzoo.register(fixed, moving, model="{name}")`; the Keras model itself is
`mmzoo.load_model("{name}")`.

| | |
| --- | --- |
| network | `{about.train["backbone"]["name"]}`, {weights:,} weights, {megabytes:.1f} MB |
| sees | {size} voxels{f" of {step} mm" if step else ""} |
| trained on | {about.trained_on} |
| licence of the weights | {about.licence} |
| SHA-256 | `{presets.checksum(path)}` |

**For** {about.intended_use}

**Not for** {about.limits}
"""


def _training(name: str, curve: Path) -> str:
    from mmzoo.deepreg import presets

    about = presets.read_about(presets.paths()[name])
    steps = f"{about.steps:,} steps" if about.steps else "All pairs in each epoch,"
    hours = f" in {about.hours:.1f} hours on {about.machine}" if about.hours else ""
    picture = f"\n![Loss by step of the training](../images/{curve.name})\n"
    return f"""## How it was trained

{steps}{hours}:

```sh
{about.command}
```
{picture if curve.is_file() else ""}"""


def _figures(name: str, results: list[dict], failed: list[dict]) -> str:
    methods = _methods(name, results)
    said = {
        **settings(),
        name + REFINED: f"its field, then {STEPS} steps of the direct method",
    }
    lines = [
        "## Figures",
        "",
        f"By `python benchmarks/preset.py {name}`, on people and contrasts that took no part in "
        "the training or in any choice. All methods start from the rigid and affine stage of "
        "`mmzoo register`, whose seconds count for each. Dice is the mean of the structures, "
        "carried by nearest neighbour; TRE is over the anatomy where the two images show one "
        "person, whose true field is known. Processor seconds are from the import of the library "
        "until there is a transform, compilation included.",
        "",
        *(f"* {key}: {text}" for key, text in said.items() if key in methods),
        *_processors([row for row in results if row["method"] != "before"]),
        "",
        _means(methods, results),
        "",
        "### Each pair",
        "",
        _table(methods, results),
        "",
    ]
    if failed:
        lines += [f"* {row['method']} gave up {row['pair']}: {row['failed']}" for row in failed]
        lines.append("")
    return "\n".join(lines)


def _methods(name: str, results: list[dict]) -> list[str]:
    order = ("before", "affine", "mmzoo register", "ANTs SyN", "ConvexAdam", name, name + REFINED)
    there = {row["method"] for row in results}
    return [method for method in order if method in there]


def _processors(results: list[dict]) -> list[str]:
    """Return on which processor the methods ran, by method where there are several."""
    ran: dict[str, list[str]] = {}
    for row in results:
        methods = ran.setdefault(row.get("processor", "not noted"), [])
        if row["method"] not in methods:
            methods.append(row["method"])
    if len(ran) == 1:
        return [f"* processor: {name}" for name in ran]
    return [f"* processor of {', '.join(methods)}: {name}" for name, methods in ran.items()]


def _means(methods: list[str], results: list[dict]) -> str:
    """Return a table of the means over the pairs of a kind that every method has."""
    blocks = []
    for group in dict.fromkeys(row["group"] for row in results):
        rows = [row for row in results if row["group"] == group]
        for title, of_one in (("one person", True), ("two people", False)):
            kind = [row for row in rows if np.isfinite(row["tre_mm"]) == of_one]
            keys = {row["key"] for row in kind}
            whole = [k for k in keys if {r["method"] for r in kind if r["key"] == k} >= {*methods}]
            for method in methods:
                of = [r for r in kind if r["method"] == method and r["key"] in whole]
                if of:
                    means = [
                        _number(np.mean([r.get(c, np.nan) for r in of]), d) for c, _, d in COLUMNS
                    ]
                    blocks.append([f"{group}, {title} ({len(whole)})", method, *means])
    heads = ["pairs", "method", *(title for _, title, _ in COLUMNS)]
    return markdown_table(heads, blocks, range(2))


def _table(methods: list[str], results: list[dict]) -> str:
    rows = []
    for key in sorted({row["key"] for row in results}):
        for method in methods:
            for row in results:
                if (row["key"], row["method"]) == (key, method):
                    cells = [_number(row.get(c, np.nan), d) for c, _, d in COLUMNS]
                    rows.append([row["pair"], method, *cells])
    heads = ["pair", "method", *(title for _, title, _ in COLUMNS)]
    return markdown_table(heads, rows, range(2))


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "-"


def draw_curve(log: Path, out: Path) -> None:
    """Draw the losses of a training by its steps."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from benchmarks.engine.figures import read_losses

    figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
    for name, points in read_losses(log).items():
        axis.plot(*points.T, label=name, marker=".")
    axis.set(xlabel="steps", ylabel="loss")
    axis.legend(frameon=False)
    figure.savefig(out, dpi=100)
    plt.close(figure)
