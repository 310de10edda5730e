"""Predict the test pairs of one run by `deepreg_predict`.

With the last checkpoint of the training that the run belongs to, or that of its epoch.
"""

from pathlib import Path

from benchmarks.engine.job import parse_job


def main() -> None:
    """Predict into the folder `predict` of the run."""
    job = parse_job(__doc__)
    row = job.paper.rows[job.run.row]
    trained = Path(job.paper.training(job.run).folder) / "train"
    checkpoint = trained / "save" / f"ckpt-{row.epoch or job.config()['train']['epochs']}"
    folder = ["--log_root", str(job.folder), "-l", "predict"]
    arguments = ["-g", job.gpu, *folder, "-m", "test", "-k", str(checkpoint)]
    # Data and settings of the run over those of its training.
    files = [str(trained / "config.yaml"), *job.own_files()]
    job.call("deepreg_predict", *arguments, "-c", *files)


if __name__ == "__main__":
    main()
