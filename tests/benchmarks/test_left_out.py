from benchmarks.engine.left_out import left_out
from benchmarks.engine.results import collect


def test_size_training_phantoms_and_pairs_are_compared_with_the_papers(results, repository):
    lines = left_out(results)
    assert "`mmzoo phantom heart --moving mr --fov heart --seed 0" in lines[0]
    assert lines[1:] == [
        "Voxels along each axis: 12 instead of 24.",
        "100 training steps instead of 200: Net.",
        "Only a part of the test pairs, see the tables: Tool.",
    ]


def test_folds_data_and_ablations_that_are_left_out_are_named(paper, finished, repository):
    scale = {"size": 24, "cases": 6, "folds": 2, "test_folds": [0], "data": ["heart"]}
    paper.content["scales"]["laptop"] = {**scale, "ablations": [], "grid": False}
    lines = left_out(collect(paper, finished))
    assert "Folds tested: 1 instead of 2." in lines
    assert "Data sets left out: Livers." in lines
    assert "The ablations are left out." in lines
    assert "The grid of settings is left out." in lines
    assert not any("Voxels" in line for line in lines)


def test_what_differs_is_said_of_each_data_set(paper, finished, repository):
    paper.content["scales"]["laptop"] |= {"size": {"heart": [12, 12, 6], "liver": 24}}
    paper.content["scales"]["paper"] |= {"cases": {"heart": 6, "liver": 9}}
    lines = left_out(collect(paper, finished))
    assert "Voxels along each axis: 12 x 12 x 6 instead of 24 (Hearts)." in lines
    assert "People: 6 instead of 9 (Livers)." in lines
    assert len([line for line in lines if line.startswith(("Voxels", "People"))]) == 2


def test_settings_that_the_scale_changes_are_listed(page):
    text = (page / "README.md").read_text()
    assert "| `train.optimizer.rate` | 0.1 | 0.2 | Net |" in text
    assert "`train.epochs`" not in text  # the steps say it
