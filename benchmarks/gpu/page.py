"""The page of what `gpu.run` measured."""

from __future__ import annotations

from pathlib import Path

from mmzoo.report.markdown import markdown_table

HEAD = """# On a GPU, compiled whole

By `python -m benchmarks.gpu.lower`, which writes a training step (network, warp, losses, gradients, optimizer) or a piece with its gradient as the program that `jit_compile` gives to XLA, and `python -m benchmarks.gpu.run`, which compiles that program for a GPU and calls it, through JAX. So the arithmetic is the zoo's, TensorFlow's own kernels and its time between them are not in it. float32, of which convolutions and products may take TF32, as in TensorFlow. Seconds are of one call of many in a row, memory is what the compiled program holds at its highest with its arguments.
"""  # noqa: E501
LEFT = (0, 2)  # columns of text


def write_page(out: Path, figures: dict) -> Path:
    """Write README.md.

    Args:
        out: folder of the page.
        figures: "FORM NAME" -> what `gpu.run` returned of it, or "failed".
    """
    done = [each for each in figures.values() if "failed" not in each]
    failed = {name: each["failed"] for name, each in figures.items() if "failed" in each}
    parts = [HEAD + "\n" + _machine(done)]
    steps = [each for each in done if Path(each["subject"]).suffix == ".yaml"]
    pieces = [each for each in done if each not in steps]
    parts += ["## Training steps\n\n" + _steps(steps)] if steps else []
    parts += ["## Pieces\n\nValue and gradient.\n\n" + _pieces(pieces)] if pieces else []
    if failed:
        said = [f"* {name}: {why.strip().splitlines()[-1]}" for name, why in failed.items()]
        parts.append("## Not measured\n\n" + "\n".join(said))
    path = out / "README.md"
    path.write_text("\n\n".join(parts) + "\n")
    return path


def _machine(done: list[dict]) -> str:
    devices = sorted({each["device"] for each in done if "device" in each})
    versions = sorted({each["versions"] for each in done})
    return f"{', '.join(devices)}; {', '.join(versions)}."


def _size(each: dict) -> str:
    batch = f"{each['batch']} x " if each["batch"] > 1 else ""
    return batch + "x".join(map(str, each["size"]))


def _steps(steps: list[dict]) -> str:
    rows = [
        [
            each["title"],
            _size(each),
            each["form"],
            f"{1e3 * each['gradient_s']:.1f}",
            f"{each['memory_mb'] / 1024:.2f}",
            f"{each['compile_s']:.0f}",
            f"{max(abs(m - v) for m, v in zip(each['measured'], each['values'], strict=True)):.1e}",
        ]
        for each in steps
    ]
    head = ["method", "size", "form", "ms a step", "GB", "s to compile", "loss, off a CPU's by"]
    return markdown_table(head, rows, LEFT)


def _pieces(pieces: list[dict]) -> str:
    ours = {each["title"]: each for each in pieces if each["form"] == "mmzoo"}
    rows = []
    for title, each in ours.items():
        rows.append([title, _size(each), "mmzoo", *_figures(each), ""])
        for other in pieces:
            if other["title"] == title and other is not each:
                ratio = other["gradient_s"] / each["gradient_s"]
                rows.append(["", "", other["form"], *_figures(other), f"{ratio:.1f}x"])
    head = ["piece", "size", "form", "ms", "MB", "time against ours"]
    return markdown_table(head, rows, LEFT)


def _figures(each: dict) -> list[str]:
    memory = each.get("memory_mb")
    return [f"{1e3 * each['gradient_s']:.2f}", "-" if memory is None else f"{memory:.0f}"]
