"""Predict the test pairs of one run by `deepreg_predict` with its last checkpoint."""

from engine.job import parse_job


def main() -> None:
    """Predict into the folder `predict` of the run."""
    job = parse_job(__doc__)
    checkpoint = job.folder / "train" / "save" / f"ckpt-{job.config()['train']['epochs']}"
    folder = ["--log_root", str(job.folder), "-l", "predict"]
    arguments = ["-g", job.gpu, *folder, "-m", "test", "-k", str(checkpoint)]
    job.call("deepreg_predict", *arguments)


if __name__ == "__main__":
    main()
