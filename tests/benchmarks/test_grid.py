import dataclasses

import pandas as pd
import pytest
from helpers_pages import rows_of

from benchmarks.engine.grid import grid_table, grid_tables
from benchmarks.engine.results import collect


def test_the_grid_is_a_matrix_with_the_best_in_bold_and_the_print_named(results):
    table = rows_of(grid_table(results))
    assert table == {
        "a = 1": {"": "a = 1", "b = 1": "61.10", "b = 2": "**64.10** (print)"},
        "a = 2": {"": "a = 2", "b = 1": "63.10", "b = 2": "62.10"},
    }


def test_a_missing_point_of_the_grid_is_shown(paper, out):
    (out / "runs/heart/grid_1_2/fold0/evaluation/cases.csv").unlink()
    table = rows_of(grid_table(collect(paper, out)))
    assert table["a = 1"]["b = 2"] == "missing (print)"
    assert table["a = 2"]["b = 1"] == "**63.10**"


def test_other_data_have_a_table_and_a_printed_point_of_their_own(paper, results):
    grid = results.paper.content["ablations"]["grid"]
    grid["elsewhere"] = {"data": ["liver"], "printed": {"a": 2, "b": 1}}
    runs = {run.data for run in results.paper.runs if run.row == "grid_2_2"}
    assert runs == {"heart", "liver"}
    livers = results.cases[results.cases["row"].str.startswith("grid")].assign(data="liver")
    livers.loc[livers["row"] == "grid_2_1", "dice"] = 0.9
    results = dataclasses.replace(results, cases=pd.concat([results.cases, livers]))
    tables = {title: rows_of(table) for title, table in grid_tables(results).items()}
    assert list(tables) == ["Hearts", "Livers"]
    assert tables["Hearts"]["a = 1"]["b = 2"] == "**64.10** (print)"
    assert tables["Livers"]["a = 1"]["b = 2"] == "64.10"
    assert tables["Livers"]["a = 2"]["b = 1"] == "**90.00** (print)"


# === A grid of one setting ===


@pytest.fixture
def line(results, repository):
    """The grid along its first setting alone; the row net, whose value is 3, is a point of it."""
    grid = results.paper.content["ablations"]["grid"]
    grid["axes"] = {"a": grid["axes"]["a"]}
    (repository / "configs/tiny/net.yaml").write_text("train: {a: 3}\n")
    rename = {"grid_1_1": "grid_1", "grid_2_1": "grid_2"}
    results.cases["row"] = results.cases["row"].replace(rename)
    results.cases.loc[results.cases["row"] == "grid_1", "folding_percent"] = 0.25
    return results


def test_a_grid_of_one_setting_has_a_line_a_value_and_the_row_that_it_starts_from(line):
    table = rows_of(grid_table(line))
    assert list(table) == ["a = 1", "a = 2", "a = 3"]
    assert table["a = 1"] == {"": "a = 1", "Dice %": "61.10", "folding %": "0.250"}
    # the row's own, on the grid's fold and data
    assert table["a = 3"]["Dice %"] == "70.30"


def test_points_without_cases_are_left_out(line):
    object.__setattr__(line, "cases", line.cases[line.cases["row"] != "grid_2"])
    assert list(rows_of(grid_table(line))) == ["a = 1", "a = 3"]
