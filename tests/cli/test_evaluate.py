import pandas as pd
import pytest
from helpers_cli import call
from helpers_prediction import write_prediction

from mmzoo.cli.evaluate import parse_pictures


def test_the_command_prints_the_table_and_names_the_picture(tmp_path):
    run = write_prediction(tmp_path, pairs=2)
    result = call("evaluate", run, "--no-affine", "--jobs", 1)
    assert result.exit_code == 0, result.output
    for part in ("cavity", "mean of structures", "100.0 ± 0.0", "folding %", "pair_0.png"):
        assert part in result.output
    assert (run / "evaluation" / "cases.csv").is_file()


def test_out_and_pictures_are_obeyed(tmp_path):
    run = write_prediction(tmp_path, pairs=2)
    out = tmp_path / "elsewhere"
    result = call("evaluate", run, "--no-affine", "--jobs", 1, "--out", out, "--pictures", "all")
    assert result.exit_code == 0, result.output
    assert len(list(out.glob("pair_*.png"))) == 2
    assert not (run / "evaluation").exists()


def test_no_before_leaves_the_stage_out(tmp_path):
    run = write_prediction(tmp_path, pairs=1)
    result = call("evaluate", run, "--no-affine", "--no-before", "--jobs", 1, "--pictures", 0)
    assert result.exit_code == 0, result.output
    stages = set(pd.read_csv(run / "evaluation" / "cases.csv")["stage"])
    assert stages == {"network"}


def test_a_mistake_is_told_without_a_traceback(tmp_path):
    result = call("evaluate", tmp_path / "nowhere")
    assert result.exit_code == 1
    assert "Error:" in result.output and "no folder" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(("text", "expected"), [("all", None), ("0", 0), ("12", 12)])
def test_pictures_option_is_a_number_or_all(text, expected):
    assert parse_pictures(text) == expected


def test_pictures_option_rejects_words():
    with pytest.raises(ValueError, match="`--pictures` must be a number or all, got 'some'"):
        parse_pictures("some")
