"""``mmzoo register`` on many pairs."""

from pathlib import Path
from typing import Any

import typer

from mmzoo.cli._output import command_line, print_error, print_notes
from mmzoo.terminal import progress, quiet


def many_pairs(
    out: Path,
    tables: dict[str, Any],
    one: dict[str, Any],
    options: dict[str, Any],
    geometry: str,
    frame: str,
    name: str,
    jobs: int,
    overwrite: bool,
) -> None:
    """Register the pairs that a table, folders or a BIDS data set name; says how it went.

    Args:
        out: folder.
        tables: options that say which pairs.
        one: options that belong to one pair, none of which may be given.
        options: of `mmzoo.register`.
        geometry: which form of headers counts.
        frame: of points in a CSV.
        name: of the only pair to do; "" for all.
        jobs: processes.
        overwrite: replace pairs that were made otherwise.

    Raises:
        ValueError: for bad input, before anything is registered.
        typer.Exit: with status 1 where a pair has failed.
    """
    from mmzoo.registration.many import Batch, register_one, register_pairs
    from mmzoo.registration.summary import FAILED

    for option, value in one.items():
        if value:
            raise ValueError(
                f"`--{option.replace('_', '-')}` is for one pair; of many pairs, name such files "
                "in the CSV file (--pairs), a DICOM series as FOLDER#2."
            )
    pairs = [pair.select(geometry) for pair in find_pairs(tables)]
    plan = Batch(out, options, frame, command_line())
    if name:
        chosen = [pair for pair in pairs if pair.name == name]
        if not chosen:
            known = ", ".join(pair.name for pair in pairs[:5])
            raise ValueError(f"`--pair` is {name!r}: there is no such pair, but {known}, ...")
        with quiet() as stream, progress(stream) as update:
            register_one(chosen[0], plan, overwrite, update)
        typer.echo(out / name)
        return
    with quiet() as stream, progress(stream) as update:
        rows = register_pairs(pairs, plan, jobs=jobs, overwrite=overwrite, progress=update)
    failed = [row for row in rows if row["status"] == FAILED]
    doubtful = [row for row in rows if row["doubts"]]
    for row in failed:
        print_error(f"Error: {row['name']}: {row['error']}")
    print_notes(f"{row['name']}: {row['doubts']}" for row in doubtful)
    typer.echo(
        f"{len(rows)} pairs: {len(rows) - len(failed)} registered, {len(doubtful)} of these "
        f"doubtful; {len(failed)} failed. {out}: summary.csv, index.html"
    )
    if failed:
        raise typer.Exit(1)


def find_pairs(tables: dict[str, Any]) -> list:
    """Return the pairs that the options name.

    Raises:
        ValueError: none or several of them, or what they name is not there.
    """
    from mmzoo.registration.bids import bids_pairs
    from mmzoo.registration.pair_files import folders_of_pairs, read_pairs

    sources = {
        "--pairs": ("pairs",),
        "--fixed-dir and --moving-dir": ("fixed_dir", "moving_dir"),
        "--bids, --fixed-suffix and --moving-suffix": ("bids", "fixed_suffix", "moving_suffix"),
    }
    given = [names for names in sources.values() if any(tables[name] for name in names)]
    if len(given) != 1 or not all(tables[name] for name in given[0]):
        raise ValueError(f"give one of: {'; '.join(sources)}; and each of them whole.")
    find: Any = {"pairs": read_pairs, "fixed_dir": folders_of_pairs, "bids": bids_pairs}[
        given[0][0]
    ]
    return find(*(tables[name] for name in given[0]))
