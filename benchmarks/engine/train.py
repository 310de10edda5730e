"""Train one run by `deepreg_train`; goes on where an earlier try with the same settings stopped."""

import json
import time

from benchmarks.engine.job import forget_other, parse_job


def main() -> None:
    """Train and note how long it took."""
    job = parse_job(__doc__)
    log = job.folder / "train"
    forget_other(job.folder, job.paper.digest(job.run, job.data), log)
    config = job.config()["train"]
    finished = log / "save" / f"ckpt-{config['epochs']}.index"
    note = job.folder / "train_seconds.json"
    before = json.loads(note.read_text())["seconds"] if log.is_dir() and note.is_file() else 0.0
    start = time.perf_counter()
    try:
        if not finished.is_file():
            files = job.config_files()
            folder = ["--log_root", str(job.folder), "-l", log.name]
            job.call("deepreg_train", "-g", job.gpu, *folder, "-c", *files)
    finally:
        content = {
            "seconds": before + time.perf_counter() - start,
            "steps": config["epochs"] * config.get("steps_per_epoch", 0),
            "threads": job.threads,
        }
        note.write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
