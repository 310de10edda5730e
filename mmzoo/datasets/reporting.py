"""The report of a preparation: scans found, missing, left out and corrected."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mmzoo.datasets.sets.base import DataSet, Scan
from mmzoo.datasets.sources import listed
from mmzoo.io.atomic import write_text

JSON, MARKDOWN = "report.json", "report.md"
MAX_LISTED = 20


@dataclass
class Report:
    """Contents of a report; see the headings of ``report.md``.

    Attributes:
        name: of the data set.
        title: its name as published.
        page: where to download it.
        source: folder it was read from.
        remarks: what a user should know of the data set.
        found: by modality, how many scans with labels.
        expected: by modality, how many the official download has.
        missing: by modality, what the official download has and the folder has not.
        unlabelled: by modality, how many scans without labels, which are not used.
        left_out: by case, why.
        mended: by case, what was corrected.
        checks: by case, figures.
        label_ml: by case, volume of each structure in millilitres.
        failed: by case, what is wrong with it.
    """

    name: str
    title: str
    page: str
    source: str
    remarks: tuple[str, ...] = ()
    found: dict[str, int] = field(default_factory=dict)
    expected: dict[str, int] = field(default_factory=dict)
    missing: dict[str, list[str]] = field(default_factory=dict)
    unlabelled: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    mended: dict[str, list[str]] = field(default_factory=dict)
    checks: dict[str, dict] = field(default_factory=dict)
    label_ml: dict[str, dict] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def count(self, data: DataSet, found: list[Scan], choices) -> None:
        """Compare what was found with what the official download has."""
        for modality in dict.fromkeys((choices.moving, choices.fixed)):
            scans = [scan for scan in found if scan.modality == modality]
            names = [scan.case.split("_", 1)[1] for scan in scans if usable(data, scan)]
            self.found[modality] = len(names)
            self.unlabelled |= _if_any(modality, len(scans) - len(names))
            people = data.expect(found).get(modality, 0)
            self.expected[modality] = people if isinstance(people, int) else len(people)
            if isinstance(people, int):
                lacking = max(people - len(names), 0)
                self.missing |= _if_any(modality, [f"{lacking} of {people}"] if lacking else [])
            else:
                self.missing |= _if_any(modality, [p for p in people if p not in names])
        whole = data.expect(found).get("all", 0)
        if isinstance(whole, int) and len(found) < whole:
            self.missing["all"] = [f"{whole - len(found)} of {whole} series"]
            self.found["all"], self.expected["all"] = len(found), whole
        for name in choices.without:
            self.left_out[name] = "as asked for"

    def explain_missing(self, source) -> str:
        """Return what is missing, for an error."""
        lines = [
            f"{modality}: {self.found[modality]} of {self.expected[modality]} found, missing "
            + listed(names, MAX_LISTED)
            for modality, names in self.missing.items()
        ]
        return (
            f"{source} does not hold all of {self.title}; " + "; ".join(lines) + ". Unpack the "
            "rest, or go on with what is there by --allow-partial."
        )

    def cases(self, infos: dict[str, dict], failed: dict[str, str]) -> None:
        """Add the notes and figures of each case."""
        self.failed = failed
        for case, info in infos.items():
            self.mended |= _if_any(case, info.get("notes"))
            self.checks |= _if_any(case, info.get("checks"))
            self.label_ml |= _if_any(case, info.get("label_ml"))
            self.left_out |= _if_any(case, info.get("left_out"))


def usable(data: DataSet, scan: Scan) -> bool:
    """Whether a scan has the labels that its data set has."""
    return bool(scan.labels) or not data.structures


def _if_any(key: str, value) -> dict:
    return {key: value} if value else {}


def write(out: Path, report: Report) -> None:
    """Write ``report.json`` and ``report.md``."""
    texts = {JSON: json.dumps(asdict(report), indent=2) + "\n", MARKDOWN: markdown(report)}
    for name, text in texts.items():
        write_text(out / name, text)


def markdown(report: Report) -> str:
    """Return a report as a page."""
    lines = [f"# {report.title}", "", f"Read from `{report.source}`; had at {report.page}.", ""]
    lines += [f"* {remark}" for remark in report.remarks]
    lines += ["", "| modality | found | official | missing |", "| --- | ---: | ---: | --- |"]
    for modality, count in report.found.items():
        missing = listed(report.missing.get(modality, []), MAX_LISTED) or "nothing"
        expected = report.expected[modality] or "any"
        lines.append(f"| {modality} | {count} | {expected} | {missing} |")
    if report.unlabelled:
        counts = ", ".join(f"{count} {name}" for name, count in report.unlabelled.items())
        lines += ["", f"Without labels, not used: {counts}."]
    lines += _section("Cannot be used", report.failed)
    lines += _section("Left out", report.left_out)
    lines += _section("Mended", {case: "; ".join(n) for case, n in report.mended.items()})
    checks = {
        case: ", ".join(f"{name} {value}" for name, value in found.items())
        for case, found in report.checks.items()
    }
    lines += _section("Checks", checks)
    volumes = {
        case: ", ".join(f"{name} {ml:g} ml" for name, ml in found.items())
        for case, found in report.label_ml.items()
    }
    lines += _section("Volumes of the structures", volumes)
    return "\n".join(lines) + "\n"


def _section(heading: str, entries: dict[str, str]) -> list[str]:
    if not entries:
        return []
    return ["", f"## {heading}", "", *[f"* {case}: {text}" for case, text in entries.items()]]


def summary_lines(report: dict) -> list[str]:
    """Return a report's main lines, for the terminal."""
    lines = []
    for modality, count in report["found"].items():
        missing = report["missing"].get(modality)
        expected = report["expected"][modality]
        lines.append(f"{modality}: {count} found" + (f" of {expected}" if expected else "") + ".")
        lines += [f"{modality}: missing {listed(missing, MAX_LISTED)}."] if missing else []
    kinds: dict[str, list[str]] = {}
    for case, notes in report["mended"].items():
        for note in notes:
            kinds.setdefault(note, []).append(case)
    lines += [f"mended in {listed(cases, MAX_LISTED)}: {note}." for note, cases in kinds.items()]
    lines += [f"left out {case}: {why}." for case, why in report["left_out"].items()]
    for case, found in list(report["checks"].items())[:MAX_LISTED]:
        lines.append(f"{case}: " + ", ".join(f"{key} {value}" for key, value in found.items()))
    return lines
