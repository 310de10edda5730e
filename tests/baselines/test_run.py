import json
import os
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from helpers_layout import AFFINE

from mmzoo.baselines import run as module
from mmzoo.baselines import run_baseline
from mmzoo.baselines.tools import TOOLS, Tool
from mmzoo.evaluation import evaluate, open_prediction
from mmzoo.evaluation.volumes import read_pair
from mmzoo.io.workers import TaskError


class Recorder:
    """A tool that keeps what it is given, answers with a shift, and fails where it is told to."""

    def __init__(self):
        self.seen, self.broken, self.fields, self.spacings = [], set(), {}, []

    def check_settings(self, settings):
        if "wrong" in settings:
            raise ValueError("`wrong` is no setting")

    def register(self, moving, fixed, settings, spacing_mm):
        self.seen.append((moving, fixed, settings))
        self.spacings.append(spacing_mm)
        if len(self.seen) in self.broken:
            raise RuntimeError("no overlap")
        ddf = np.zeros((*fixed.shape, 3), np.float32)
        ddf[..., 0] = self.fields.get(len(self.seen), 1.0)
        return ddf


@pytest.fixture
def tool(monkeypatch):
    """The tool "fake", run in this process."""
    recorder = Recorder()
    monkeypatch.setitem(TOOLS, "fake", Tool(recorder.check_settings, recorder.register))
    monkeypatch.setattr(module, "run_tasks", in_process)
    return recorder


def in_process(function, tasks, jobs):
    for task in tasks:
        try:
            yield task, function(task)
        except (ValueError, RuntimeError) as error:
            yield task, TaskError(str(error))


def config(data, **section):
    return {"baseline": {"tool": "fake", **section}, "dataset": data}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_is_what_evaluate_reads(tool, data, tmp_path):
    found = run_baseline(config(data), tmp_path / "out", method="mine")
    assert (found.pairs, found.failures) == (4, ())
    assert names(tmp_path / "out/test") == [*(f"pair_{i}" for i in range(4)), "pairs.json"]
    prediction = open_prediction(tmp_path / "out")
    assert (prediction.method, prediction.structures) == ("mine", ("wide", "narrow"))
    pair = prediction.pairs[1]
    assert (pair.moving_name, pair.fixed_name) == ("mr_000", "ct_001")
    assert 0 <= pair.seconds < 60
    evaluated = evaluate(tmp_path / "out", affine=False, pictures=0)
    dice = evaluated.cases.groupby("stage")["dice"].mean()
    assert dice["network"] > 0.99 > dice["before"]


def test_the_interpolation_of_images_is_noted_where_it_is_not_linear(tool, data, tmp_path):
    said = {None: None, "linear": None, "cubic-bspline": "cubic-bspline"}
    for given, noted in said.items():
        section = {} if given is None else {"interpolation": given}
        run_baseline(config(data, **section), tmp_path / str(given), method="mine")
        written = json.loads((tmp_path / str(given) / "test/pairs.json").read_text())
        assert written.get("interpolation") == noted
        assert "interpolation" not in written["baseline"]


def test_volumes_are_those_of_deepreg_predict(tool, data, tmp_path):
    run_baseline(config(data), tmp_path / "out", method="mine")
    volumes = read_pair(open_prediction(tmp_path / "out").pairs[0])
    np.testing.assert_array_equal(volumes.affine, AFFINE)
    assert (volumes.fixed.min(), volumes.fixed.max()) == (0.0, 1.0)
    assert (volumes.moving.min(), volumes.moving.max()) == (0.0, 1.0)
    assert (volumes.ddf == [1, 0, 0]).all()
    source = Path(data["dir"]["test"]) / "fixed_labels" / "mr_000__ct_000.nii.gz"
    labels = np.asarray(nib.load(source).dataobj)
    assert labels[..., 0].sum() > labels[..., 1].sum() > 0
    for channel, label in enumerate(volumes.fixed_labels):
        np.testing.assert_array_equal(label, labels[..., channel])


def test_the_tool_is_given_the_fixed_images_voxel_size(tool, data, tmp_path):
    turn = np.array([[0.6, -0.8, 0, 5], [0.8, 0.6, 0, -3], [0, 0, 1, 1], [0, 0, 0, 1]])
    for path in Path(data["dir"]["test"]).glob("fixed_images/mr_001__*"):
        image = nib.Nifti1Image(nib.load(path).get_fdata(dtype=np.float32), turn @ AFFINE)
        path.unlink()  # a link to a file that other pairs share
        nib.save(image, path)
    run_baseline(config(data), tmp_path / "out", method="mine")
    np.testing.assert_allclose(tool.spacings, [(1.0, 1.5, 2.0)] * 4, rtol=1e-6)


def test_description_has_the_keys_of_deepreg_predict(tool, data, tmp_path):
    section = {"settings": {"speed": [1, 2]}, "name": "mine"}
    run_baseline(config(data, **section), tmp_path / "out", method="file", mode="test")
    written = json.loads((tmp_path / "out/test/pairs.json").read_text())
    assert {"method", "checkpoint", "mode", "dataset", "pairs"} < set(written)
    assert (written["method"], written["mode"], written["dataset"]) == ("mine", "test", data)
    assert written["baseline"]["settings"] == {"speed": [1, 2]}
    assert set(written["pairs"]["pair_3"]) == {"moving", "fixed", "seconds"}
    assert Path(written["pairs"]["pair_3"]["fixed"]).is_file()


def test_images_are_clipped_and_scaled_for_the_tool_alone(tool, data, tmp_path):
    section = {"clip_percentiles": [5, 90], "pairs": "matched", "settings": {"a": 1}}
    run_baseline(config(data, **section), tmp_path / "out", method="mine")
    moving, fixed, settings = tool.seen[0]
    original = read_pair(open_prediction(tmp_path / "out").pairs[0])
    for given, image in ((moving, original.moving), (fixed, original.fixed)):
        low, high = np.percentile(image, 5), np.percentile(image, 90)
        expected = 255 * (np.clip(image, low, high) - low) / (high - low)
        np.testing.assert_allclose(given, expected, atol=1e-3)
        assert (given == 255).mean() == pytest.approx(0.1, abs=0.01)
    assert settings == {"a": 1}


def test_without_percentiles_the_tool_gets_what_the_network_gets(tool, data, tmp_path):
    run_baseline(config(data), tmp_path / "out", method="mine")
    original = read_pair(open_prediction(tmp_path / "out").pairs[0])
    np.testing.assert_array_equal(tool.seen[0][0], original.moving)


def test_matched_pairs_keep_the_numbers_they_have_among_all(tool, data, tmp_path):
    run_baseline(config(data, pairs="matched"), tmp_path / "out", method="mine")
    assert names(tmp_path / "out/test") == ["pair_0", "pair_3", "pairs.json"]
    pairs = open_prediction(tmp_path / "out").pairs
    cases = [(pair.moving_name, pair.fixed_name) for pair in pairs]
    assert cases == [("mr_000", "ct_000"), ("mr_001", "ct_001")]


def test_unlabelled_data_have_no_label_folders(tool, data, tmp_path):
    run_baseline(config({**data, "labeled": False}), tmp_path / "out", method="mine")
    assert open_prediction(tmp_path / "out").structures == ()


def test_progress_is_reported(tool, data, tmp_path):
    seen = []
    report = lambda done, total: seen.append((done, total))  # noqa: E731
    run_baseline(config(data), tmp_path / "out", method="mine", report=report)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


# === Going on ===


def test_an_interruption_loses_the_pair_in_work_alone(tool, data, tmp_path, monkeypatch):
    def interrupted(function, tasks, jobs):
        yield from in_process(function, tasks[:2], jobs)
        tasks[2].folder.mkdir()
        (tasks[2].folder / "ddf.nii.gz").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "run_tasks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_baseline(config(data), tmp_path / "out", method="mine")
    folder = tmp_path / "out/test"
    assert names(folder) == ["pair_0", "pair_1", "pairs.json"]
    first = json.loads((folder / "pairs.json").read_text())["pairs"]
    monkeypatch.setattr(module, "run_tasks", in_process)
    seen = []
    report = lambda done, total: seen.append(done)  # noqa: E731
    run_baseline(config(data), tmp_path / "out", method="mine", report=report)
    assert (len(tool.seen), seen) == (4, [3, 4])
    assert json.loads((folder / "pairs.json").read_text())["pairs"].items() >= first.items()


def test_what_a_killed_run_left_is_removed(tool, data, tmp_path):
    run_baseline(config(data), tmp_path / "out", method="mine")
    (tmp_path / "out/test/.pair_1").mkdir()
    run_baseline(config(data), tmp_path / "out", method="mine")
    assert not (tmp_path / "out/test/.pair_1").exists()
    assert len(tool.seen) == 4


def test_a_pair_whose_image_is_newer_is_made_again(tool, data, tmp_path):
    run_baseline(config(data), tmp_path / "out", method="mine")
    later = time.time() + 60
    image = Path(data["dir"]["test"]) / "fixed_images" / "mr_001__ct_000.nii.gz"
    os.utime(image, (later, later))
    run_baseline(config(data), tmp_path / "out", method="mine")
    assert len(tool.seen) == 4 + 2  # the case is in two pairs


def test_other_settings_are_refused_or_replace_what_is_there(tool, data, tmp_path):
    out = tmp_path / "out"
    run_baseline(config(data, settings={"a": 1}), out, method="mine")
    before = (out / "test/pairs.json").read_text()
    other = config(data, settings={"a": 2}, pairs="matched")
    message = r"baseline.settings.a: 1 there, 2 asked for, baseline.pairs: 'all' there.*--overwrite"
    with pytest.raises(ValueError, match=message):
        run_baseline(other, out, method="mine")
    assert (out / "test/pairs.json").read_text() == before
    run_baseline(other, out, method="mine", overwrite=True)
    assert names(out / "test") == ["pair_0", "pair_3", "pairs.json"]


def test_overwrite_keeps_pairs_of_the_same_settings(tool, data, tmp_path):
    for _ in range(2):
        run_baseline(config(data), tmp_path / "out", method="mine", overwrite=True)
    assert len(tool.seen) == 4


@pytest.mark.parametrize("content", ['{"method": "ddf", "pairs": {}}', "{", None])
def test_a_folder_of_another_origin_is_never_touched(tool, data, tmp_path, content):
    folder = tmp_path / "out/test"
    (folder / "pair_0").mkdir(parents=True)
    if content is not None:
        (folder / "pairs.json").write_text(content)
    with pytest.raises(ValueError, match="not made by `mmzoo baseline`; nothing in it was touched"):
        run_baseline(config(data), tmp_path / "out", method="mine", overwrite=True)
    assert (folder / "pair_0").is_dir()


# === What goes wrong ===


def test_a_pair_that_fails_is_named_and_the_others_go_on(tool, data, tmp_path):
    tool.broken = {2}
    found = run_baseline(config(data), tmp_path / "out", method="mine")
    assert found.failures == (("pair_1 (mr_000 to ct_001)", "no overlap"),)
    assert names(tmp_path / "out/test") == ["pair_0", "pair_2", "pair_3", "pairs.json"]
    found = run_baseline(config(data), tmp_path / "out", method="mine")
    assert (found.failures, len(tool.seen)) == ((), 5)


def test_a_field_with_nan_is_a_failure(tool, data, tmp_path):
    tool.fields = {1: np.nan}
    found = run_baseline(config(data), tmp_path / "out", method="mine")
    assert [pair for pair, _ in found.failures] == ["pair_0 (mr_000 to ct_000)"]
    assert "NaN" in found.failures[0][1]


def spoil(data, part, change):
    path = Path(data["dir"]["test"]) / part / "mr_000__ct_000.nii.gz"
    changed = change(nib.load(path).get_fdata(dtype=np.float32))
    path.unlink()  # a link to a file that other pairs share
    nib.save(nib.Nifti1Image(changed, AFFINE), path)


def test_an_image_with_nan_is_named(tool, data, tmp_path):
    spoil(data, "moving_images", lambda image: np.where(image > 100, np.nan, image))
    ((pair, reason),) = run_baseline(config(data), tmp_path / "out", method="mine").failures
    assert "pair_0" in pair
    assert "moving_images/mr_000__ct_000.nii.gz must hold finite numbers" in reason


def test_an_image_of_another_size_is_named(tool, data, tmp_path):
    spoil(data, "fixed_images", lambda image: image[1:])
    ((_, reason),) = run_baseline(config(data), tmp_path / "out", method="mine").failures
    assert "shape (19, 16, 14), but the dataset section says (20, 16, 14)" in reason


def test_labels_that_do_not_fit_are_named(tool, data, tmp_path):
    spoil(data, "fixed_labels", lambda labels: labels[..., :1])
    ((_, reason),) = run_baseline(config(data), tmp_path / "out", method="mine").failures
    assert "2 and 1 channels" in reason
    spoil(data, "fixed_labels", lambda labels: labels[:, 1:])
    ((_, reason),) = run_baseline(config(data), tmp_path / "out", method="mine").failures
    assert "shape (20, 15, 14), but its image has (20, 16, 14)" in reason


def test_an_image_without_contrast_between_the_percentiles_is_a_failure(tool, data, tmp_path):
    spoil(data, "moving_images", lambda image: (image == image.max()).astype(np.float32))
    section = {"clip_percentiles": [5, 95]}
    ((_, reason),) = run_baseline(config(data, **section), tmp_path / "out", method="a").failures
    assert "One value only is left between the percentiles 5 and 95" in reason


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"tool": "ant"}, "`baseline.tool` is 'ant': did you mean 'ants'"),
        ({"tols": 1}, "`baseline` is 'tols': did you mean 'tool'"),
        ({"pairs": "match"}, "`baseline.pairs` is 'match': did you mean 'matched'"),
        ({"interpolation": "cubic"}, "`baseline.interpolation` is 'cubic'"),
        ({"settings": [1]}, "`baseline.settings` must name arguments"),
        ({"settings": {"wrong": 1}}, "`wrong` is no setting"),
        ({"clip_percentiles": [95, 5]}, "two rising numbers from 0 to 100, got"),
        ({"clip_percentiles": 5}, "two rising numbers from 0 to 100, got 5"),
        ({"clip_percentiles": ["a", "b"]}, "two rising numbers from 0 to 100, got"),
    ],
)
def test_a_wrong_section_is_told_before_anything_is_written(tool, data, tmp_path, section, message):
    with pytest.raises(ValueError, match=message):
        run_baseline(config(data, **section), tmp_path / "out", method="mine")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "h5"}, "`dataset.format` must be nifti.*got 'h5'"),
        ({"type": "unpaired"}, "`dataset.type` must be paired"),
        ({"dir": {"test": None}}, "`dataset.dir.test` names no folder"),
        ({"dir": {"test": "nowhere"}}, "`dataset.dir.test` is nowhere, which has no moving_images"),
        ({"labeled": None}, None),
    ],
)
def test_wrong_data_are_told_before_anything_is_written(tool, data, tmp_path, change, message):
    if message is None:
        data.pop("labeled")
        change, message = {}, "`dataset.labeled` is missing"
    with pytest.raises(ValueError, match=message):
        run_baseline(config({**data, **change}), tmp_path / "out", method="mine")
    assert not (tmp_path / "out").exists()


def test_a_missing_section_mode_or_partner_is_told(tool, data, tmp_path):
    with pytest.raises(ValueError, match="must have a section `baseline`.*got train, dataset"):
        run_baseline({"train": {}, "dataset": data}, tmp_path / "out", method="mine")
    with pytest.raises(ValueError, match="must have a section `dataset`: add the file of a fold"):
        run_baseline({"baseline": {"tool": "fake"}}, tmp_path / "out", method="mine")
    with pytest.raises(ValueError, match="`mode` is 'tset': did you mean 'test'"):
        run_baseline(config(data), tmp_path / "out", method="mine", mode="tset")
    with pytest.raises(ValueError, match="`jobs` must be 1 or more, got 0"):
        run_baseline(config(data), tmp_path / "out", method="mine", jobs=0)
    (Path(data["dir"]["test"]) / "fixed_labels" / "mr_001__ct_000.nii.gz").unlink()
    with pytest.raises(ValueError, match="fixed_labels/mr_001__ct_000.nii.gz is missing"):
        run_baseline(config(data), tmp_path / "out", method="mine")


def test_matched_needs_the_pairs_it_wants_and_goes_round_a_shorter_side(tool, data, tmp_path):
    split = Path(data["dir"]["test"])
    for path in split.glob("*/mr_*__ct_001.nii.gz"):
        path.unlink()
    run_baseline(config(data, pairs="matched"), tmp_path / "a", method="mine")
    assert names(tmp_path / "a/test") == ["pair_0", "pair_1", "pairs.json"]
    for path in split.glob("*/mr_001__ct_000.nii.gz"):
        path.unlink()
    for path in split.glob("*/mr_000__ct_000.nii.gz"):
        path.rename(path.with_name("mr_001__ct_001.nii.gz"))
        (path.parent / "mr_000__ct_002.nii.gz").write_bytes(b"")
    with pytest.raises(ValueError, match="wants mr_000 with ct_001, which the data do not pair"):
        run_baseline(config(data, pairs="matched"), tmp_path / "b", method="mine")
