"""Register the test pairs of one run by a conventional tool, through `mmzoo baseline`."""

from benchmarks.engine.job import forget_other, parse_job


def main() -> None:
    """Register into the folder `predict` of the run; finished pairs are kept."""
    job = parse_job(__doc__)
    out = job.folder / "predict"
    forget_other(job.folder, job.paper.digest(job.run, job.data), out)
    arguments = ["--out", str(out), "--mode", "test", "--jobs", str(job.threads)]
    job.call("mmzoo", "baseline", *arguments, "-c", *job.config_files())


if __name__ == "__main__":
    main()
