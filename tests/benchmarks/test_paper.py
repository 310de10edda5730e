import json

import pytest
import yaml

from benchmarks.engine.data import prepared_folders
from benchmarks.engine.paper import Run, load_paper, paper_names
from benchmarks.engine.results import UNITS
from mmzoo.config_merge import merge_files

DESCRIPTION = {
    "title": "T",
    "authors": "A",
    "year": 2021,
    "configs": "rows",
    "reference": "net",
    "unit": "fixed",
    "data": {
        "heart": {
            "title": "H",
            "phantom": {"name": "heart", "moving": "mr", "fov": "heart"},
            "structures": {"myocardium": "Myo"},
        },
        "liver": {
            "title": "L",
            "phantom": {"name": "abdomen", "moving": "t1", "fov": "liver"},
            "structures": {"liver": "Liver"},
            "overlays": {"net.yaml": "net_liver.yaml"},
        },
    },
    "scales": {
        "smoke": {"size": 16, "cases": 4, "folds": 2, "test_folds": [1], "data": ["heart"]},
        "paper": {"size": 96, "cases": 20, "folds": 4, "overrides": {"grid": {"train.epochs": 3}}},
    },
    "rows": {"tool": {"title": "Tool"}, "net": {"title": "Net"}},
    "ablations": {
        "data": ["heart"],
        "test_folds": [0, 1],
        "rows": {"plain": {"title": "Plain", "configs": ["net.yaml", "plain.yaml"]}},
        "grid": {"base": "net.yaml", "axes": {"a": {"key": "train.loss.a", "values": [0.1, 1]}}},
    },
}
ROWS = {
    "tool": {"baseline": {"tool": "ants"}},
    "net": {"train": {"epochs": 9, "loss": {"a": 7, "b": 2}}},
    "net_liver": {"train": {"loss": {"b": 3}}},
    "plain": {"train": {"loss": {"b": 0}}},
}


@pytest.fixture
def description(tmp_path):
    (tmp_path / "rows").mkdir()
    for name, content in ROWS.items():
        (tmp_path / "rows" / f"{name}.yaml").write_text(yaml.safe_dump(content))
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(DESCRIPTION, sort_keys=False))
    return path


def test_every_row_runs_on_every_data_set_and_fold_ablations_on_theirs(description):
    runs = load_paper(str(description), "paper").runs
    rows = [run for run in runs if run.row in ("tool", "net")]
    assert len(rows) == 2 * 2 * 4
    assert [run for run in runs if run.row == "plain"] == [
        Run("heart", "plain", 0),
        Run("heart", "plain", 1),
    ]
    assert {run.row for run in runs if run.row.startswith("grid")} == {"grid_0.1", "grid_1"}


def test_a_scale_may_keep_to_some_data_and_folds(description):
    runs = load_paper(str(description), "smoke").runs
    assert {(run.data, run.fold) for run in runs} == {("heart", 1)}


def rewrite(path, **changes):
    """Change parts of a description, and return it at its paper's scale."""
    path.write_text(yaml.safe_dump({**DESCRIPTION, **changes}, sort_keys=False))
    return load_paper(str(path), "paper")


def test_a_row_may_keep_to_some_data(description):
    rows = {"tool": {"title": "Tool", "data": ["liver"]}, "net": {"title": "Net"}}
    runs = rewrite(description, rows=rows).runs
    assert {run.data for run in runs if run.row == "tool"} == {"liver"}
    assert {run.data for run in runs if run.row == "net"} == {"heart", "liver"}


def test_a_scale_may_say_another_thing_of_each_data_set(description):
    scale = {
        "size": {"heart": [96, 96, 10], "liver": 64},
        "cases": {"heart": 8, "liver": 6},
        "folds": {"heart": 4, "liver": 2},
        "valid": {"liver": 1},
        "test_folds": {"liver": [0]},
    }
    paper = rewrite(description, scales={"paper": scale})
    tested = {(run.data, run.fold) for run in paper.runs if run.row == "net"}
    assert tested == {("liver", 0), *(("heart", fold) for fold in range(4))}
    assert paper.phantom_command("heart") == (
        "mmzoo phantom heart --moving mr --fov heart --seed 0 --valid 0 --size 96 96 10 --cases 8"
        " --folds 4"
    )
    assert "--valid 1 --size 64 64 64 --cases 6 --folds 2" in paper.phantom_command("liver")


def test_a_phantom_is_told_only_what_the_description_says(description):
    data = {"heart": {**DESCRIPTION["data"]["heart"], "phantom": {"name": "cine"}}}
    scale = {"size": 16, "cases": 4, "folds": 2, "data": ["heart"]}
    paper = rewrite(description, data=data, scales={"paper": scale})
    command = "mmzoo phantom cine --seed 0 --valid 0 --size 16 16 16 --cases 4 --folds 2"
    assert paper.phantom_command("heart") == command


TRAINING = {"still": {"title": "S", "phantom": {"name": "brain", "motion": 0}}}
TRAINED_ON = {
    **DESCRIPTION["data"],
    "heart": {**DESCRIPTION["data"]["heart"], "trained_on": "still"},
}


def test_a_data_set_may_be_trained_on_another_one_which_is_not_tested(description):
    paper = rewrite(description, data=TRAINED_ON, training=TRAINING)
    assert paper.training(Run("heart", "net", 2)) == Run("still", "net", 2)
    assert paper.training(Run("liver", "net", 2)) == Run("liver", "net", 2)
    assert {run.data for run in paper.runs} == {"heart", "liver"}
    assert paper.phantom_command("still").startswith("mmzoo phantom brain --motion 0 --seed 0")
    assert [path.name for path in paper.config_files(Run("still", "net", 0))] == ["net.yaml"]


def test_prepared_data_must_hold_what_is_trained_on(description, tmp_path):
    paper = rewrite(description, data=TRAINED_ON, training=TRAINING)
    write_set(tmp_path / "all" / "heart", "mr", ["myocardium"])
    with pytest.raises(ValueError, match="heart, whose networks are trained on still; put both"):
        prepared_folders(paper, str(tmp_path / "all"))
    write_set(tmp_path / "all" / "still", "mr", [])
    assert set(prepared_folders(paper, str(tmp_path / "all"))) == {"heart", "still"}


def test_stages_predict_with_earlier_checkpoints_of_a_row_s_training(description):
    scale = {**DESCRIPTION["scales"]["paper"], "stages": [1, 4, 9]}
    scale["overrides"] = {"row": {"train.epochs": 9}}
    stages = {"rows": ["net"], "data": ["liver"], "settings": {"train.loss.b": 5}}
    paper = rewrite(description, stages=stages, scales={"paper": scale})
    names = ["net_stage1", "net_stage2", "net_last"]
    runs = [run for run in paper.runs if run.row in names]
    assert runs == [Run("liver", name, 0) for name in names]
    assert [paper.rows[name].epoch for name in names] == [1, 4, 9]
    assert paper.rows["net_stage2"].title == "Net, epoch 4"
    assert paper.training(runs[1]) == Run("liver", "net", 0)
    assert paper.overrides(runs[1]) == {"train": {"epochs": 9, "loss": {"b": 5}}}


def test_a_row_may_have_settings_of_its_own(description):
    rows = {**DESCRIPTION["rows"], "wide": {"title": "W", "configs": ["net.yaml"]}}
    rows["wide"]["settings"] = {"train.loss.b": 8}
    paper = rewrite(description, rows=rows)
    assert paper.overrides(Run("heart", "wide", 0)) == {"train": {"loss": {"b": 8}}}


def test_a_voxel_s_length_in_the_paper_s_voxels_follows_from_the_sizes(description):
    scales = {**DESCRIPTION["scales"], "laptop": {"size": [48, 32, 96], "cases": 4, "folds": 2}}
    voxels = {"net.yaml": ["train.loss.a.spacing", "train.loss.b.spacing"]}
    path = rewrite(description, scales=scales, paper_voxels=voxels).path
    found = load_paper(str(path), "laptop")
    lengths = {"spacing": [2.0, 3.0, 1.0]}
    assert found.overrides(Run("heart", "net", 0)) == {
        "train": {"loss": {"a": lengths, "b": lengths}}
    }
    assert found.overrides(Run("heart", "tool", 0)) == {}
    same = load_paper(str(path), "paper").overrides(Run("heart", "net", 0))
    assert same["train"]["loss"]["a"] == {"spacing": [1.0, 1.0, 1.0]}


def test_an_overlay_follows_its_file_on_its_data(description):
    paper = load_paper(str(description), "paper")
    names = [path.name for path in paper.config_files(Run("liver", "net", 0))]
    assert names == ["net.yaml", "net_liver.yaml"]
    names = [path.name for path in paper.config_files(Run("heart", "plain", 0))]
    assert names == ["net.yaml", "plain.yaml"]


def test_a_point_of_the_grid_and_the_scale_s_lengths_are_overrides(description):
    paper = load_paper(str(description), "paper")
    assert paper.overrides(Run("heart", "grid_0.1", 0)) == {
        "train": {"epochs": 3, "loss": {"a": 0.1}}
    }
    assert paper.overrides(Run("heart", "net", 0)) == {}


def test_a_row_with_a_baseline_section_is_conventional(description):
    paper = load_paper(str(description), "paper")
    assert paper.is_conventional(Run("heart", "tool", 0))
    assert not paper.is_conventional(Run("heart", "net", 0))


def test_the_digest_of_a_run_changes_with_its_configuration_alone(description):
    def digests():
        paper = load_paper(str(description), "paper")
        return [paper.digest(run, "data/x") for run in (Run("liver", "net", 0), RUN)]

    RUN = Run("heart", "net", 0)
    liver, heart = digests()
    path = description.parent / "rows" / "net_liver.yaml"
    path.write_text(yaml.safe_dump({"train": {"loss": {"b": 4}}}))
    assert digests()[0] != liver
    assert digests()[1] == heart


def test_the_digest_of_a_run_on_prepared_data_changes_with_the_data(description, tmp_path):
    paper = load_paper(str(description), "paper")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "mmzoo.json").write_text("1")
    before = paper.digest(Run("heart", "net", 0), folder)
    (folder / "mmzoo.json").write_text("2")
    assert paper.digest(Run("heart", "net", 0), folder) != before


def test_an_unknown_paper_scale_or_row_file_is_named(description):
    with pytest.raises(ValueError, match="mmregnte.*did you mean 'mmregnet'"):
        load_paper("mmregnte", "smoke")
    with pytest.raises(ValueError, match="did you mean 'paper'"):
        load_paper(str(description), "papers")
    (description.parent / "rows" / "tool.yaml").unlink()
    with pytest.raises(ValueError, match="Row 'tool' of mine wants .*tool.yaml"):
        load_paper(str(description), "paper")


def write_set(folder, moving, labels):
    folder.mkdir(parents=True)
    (folder / "mmzoo.json").write_text(json.dumps({"moving": moving, "labels": labels}))


def test_phantoms_need_no_folder(description):
    assert prepared_folders(load_paper(str(description), "paper"), "phantom") == {}


def test_a_prepared_folder_is_the_data_set_it_fits(description, tmp_path):
    paper = load_paper(str(description), "paper")
    write_set(tmp_path / "a", "t1", ["spleen", "liver"])
    assert prepared_folders(paper, str(tmp_path / "a")) == {"liver": str(tmp_path / "a")}


def test_a_folder_may_hold_the_data_sets_under_their_names(description, tmp_path):
    paper = load_paper(str(description), "paper")
    write_set(tmp_path / "all" / "heart", "mr", ["myocardium"])
    found = prepared_folders(paper, str(tmp_path / "all"))
    assert found == {"heart": str(tmp_path / "all" / "heart")}


def test_a_folder_of_other_data_is_refused_with_what_is_wanted(description, tmp_path):
    paper = load_paper(str(description), "paper")
    write_set(tmp_path / "b", "t2", ["liver"])
    with pytest.raises(ValueError, match="heart: mr, myocardium; liver: t1, liver"):
        prepared_folders(paper, str(tmp_path / "b"))


@pytest.mark.parametrize("name", paper_names())
@pytest.mark.parametrize("scale", ["smoke", "laptop", "night", "paper"])
def test_shipped_descriptions_are_whole(name, scale):
    paper = load_paper(name, scale)
    cells = {
        f"{data}/{title}"
        for data, entry in paper.content["data"].items()
        for title in entry["structures"].values()
    }
    cells |= set(paper.content["data"])
    ablations = paper.content.get("ablations", {})
    known = {"before", *paper.content["rows"], *ablations.get("rows", {})}
    made = [*paper.rows.values(), *load_paper(name, "paper").rows.values()]
    known |= {row.name for row in made if row.kind in ("stage", "grid")}
    assert paper.content["unit"] in UNITS
    assert paper.rows[paper.content["reference"]].data is None
    for row in paper.rows.values():
        assert set(row.data or ()) <= set(paper.content["data"])
    for printed in paper.content["printed"].values():
        assert set(printed) <= cells
    assert set(paper.content["printed"]) <= known
    for claim in paper.content["claims"]:
        named = {claim.get("row", "before"), *claim.get("than", []), *claim.get("rows", [])}
        assert named.union(*claim.get("pairs", [])) <= known
        assert set(claim.get("at", [])) <= cells
    ranking = paper.content.get("ranking", {"rows": [], "at": "", "printed": {}})
    assert set(ranking["rows"]) == ranking["printed"].keys() - {"tests"}
    assert {ranking["at"]} <= cells | {""}
    for run in paper.runs:
        merged = merge_files(paper.config_files(run))
        assert ("baseline" in merged) != ("train" in merged)


def test_a_scale_may_choose_field_of_view_and_one_test_set(description):
    scale = {"size": 96, "cases": 20, "folds": 4, "fov": "100,90,80", "test": {"liver": 5}}
    paper = rewrite(description, scales={"paper": scale})
    assert "--fov 100,90,80 --seed 0 --valid 0 --size" in paper.phantom_command("heart")
    assert "--valid 0 --test 5 --size 96 96 96" in paper.phantom_command("liver")


def test_the_union_of_labels_is_no_label(description):
    data = {"heart": {**DESCRIPTION["data"]["heart"], "union": "all"}}
    data["heart"]["structures"] = {"myocardium": "Myo", "all": "All"}
    scale = {"size": 16, "cases": 4, "folds": 2, "data": ["heart"]}
    paper = rewrite(description, data=data, scales={"paper": scale})
    assert paper.labels("heart") == {"myocardium": "Myo"}
