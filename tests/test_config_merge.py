import pytest

from mmzoo.config_merge import merge, merge_files

METHOD = "train: {steps: 1000, loss: {name: segi, sigmas: [1, 2]}}\n"
SCALES = "scales: {laptop: {train: {steps: 50}}, smoke: {train: {steps: 2}}}\n"


@pytest.fixture
def write(tmp_path):
    def write(name: str, text: str):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_later_files_win_section_by_section_and_lists_are_replaced(write):
    files = [write("a.yaml", METHOD), write("b.yaml", "train: {loss: {sigmas: [3]}}")]
    assert merge_files(files) == {"train": {"steps": 1000, "loss": {"name": "segi", "sigmas": [3]}}}


def test_a_scale_applies_its_part_of_the_files_before_it(write):
    files = [write("a.yaml", METHOD + SCALES), write("s.yaml", "scale: laptop\ntrain: {batch: 1}")]
    merged = merge_files(files)
    assert merged["train"]["steps"] == 50
    assert merged["train"]["batch"] == 1
    assert merged["train"]["loss"] == {"name": "segi", "sigmas": [1, 2]}


def test_the_part_of_the_method_wins_over_the_scale_s_own_file(write):
    scale = write("s.yaml", "scale: smoke\ntrain: {steps: 7}")
    assert merge_files([write("a.yaml", METHOD + SCALES), scale])["train"]["steps"] == 2


def test_a_file_after_the_scale_wins_over_it(write):
    files = [write("a.yaml", METHOD + SCALES), write("s.yaml", "scale: laptop")]
    files.append(write("mine.yaml", "train: {steps: 9}"))
    assert merge_files(files)["train"]["steps"] == 9


def test_layers_may_add_to_the_scales_before_them(write):
    variant = write("v.yaml", "scales: {laptop: {train: {eps: 1}}}")
    files = [write("a.yaml", METHOD + SCALES), variant, write("s.yaml", "scale: laptop")]
    assert merge_files(files)["train"] | {"loss": None} == {"steps": 50, "eps": 1, "loss": None}


def test_without_a_scale_the_method_is_the_paper_s(write):
    assert merge_files([write("a.yaml", METHOD + SCALES)])["train"]["steps"] == 1000


def test_neither_key_stays_in_the_result(write):
    merged = merge_files([write("a.yaml", METHOD + SCALES), write("s.yaml", "scale: smoke")])
    assert set(merged) == {"train"}


def test_a_method_that_says_nothing_of_a_scale_is_the_same_at_it(write):
    files = [write("a.yaml", METHOD), write("s.yaml", "scale: smoke")]
    assert merge_files(files)["train"]["steps"] == 1000


@pytest.mark.parametrize("text", ["scale: labtop", "scales: {labtop: {}}"])
def test_an_unknown_scale_gets_the_closest_name(write, text):
    with pytest.raises(ValueError, match="labtop.*did you mean 'laptop'"):
        merge_files([write("a.yaml", METHOD + SCALES), write("s.yaml", text)])


def test_a_missing_file_and_one_without_sections_are_named(write, tmp_path):
    with pytest.raises(ValueError, match="no configuration file .*absent.yaml"):
        merge_files([tmp_path / "absent.yaml"])
    with pytest.raises(ValueError, match="must hold sections"):
        merge_files([write("a.yaml", "- 1")])
    with pytest.raises(ValueError, match="is no YAML"):
        merge_files([write("a.yaml", "a: [")])


def test_what_is_merged_shares_nothing_with_what_it_came_from():
    other = {"a": {"b": [1]}}
    merged = merge({}, other)
    merged["a"]["b"].append(2)
    assert other == {"a": {"b": [1]}}


def test_a_section_replaces_a_value():
    assert merge({"a": None}, {"a": {"b": 1}}) == {"a": {"b": 1}}
