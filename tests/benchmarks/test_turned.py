import numpy as np
import pytest

from benchmarks.engine.turned import cell, differs, turned_tables

MARKS = {"†": "before", "*": "tool"}


@pytest.fixture
def turned(results):
    """The made-up paper with one turned table and a print in it."""
    results.paper.content["before"] = "Rigid"
    results.paper.content["tables"] = {
        "Table 1": ["heart"],
        "Table 4": {
            "data": ["heart"],
            "figures": ["dice", "folding"],
            "columns": ["pairs"],
            "marks": MARKS,
        },
    }
    results.paper.content["printed"]["net"]["heart/LVC"] = {"dice": [95.2, 0.4, "†*"]}
    return results


def lines_of(table):
    rows = [
        [text.strip() for text in line.strip("|").split(" | ")]
        for line in table.splitlines()
        if line.startswith("|")
    ]
    return {tuple(row[:2]): row[2:] for row in rows}


def test_a_turned_table_has_a_line_a_figure_and_structure_and_a_column_a_method(turned):
    tables = turned_tables(turned)
    assert list(tables) == ["Table 4: Hearts"]
    lines = lines_of(tables["Table 4: Hearts"])
    assert lines["", ""] == ["Rigid", "Tool", "Net"]
    assert set(lines) >= {
        ("Dice %", "LVC"),
        ("Dice %", "Myo"),
        ("folding %", "image"),
        ("pairs", ""),
    }
    assert lines["pairs", ""] == ["18", "6", "18"]


def test_a_cell_has_median_and_interquartile_range_its_marks_and_the_print(turned):
    values = turned.values("net", "heart/LVC", "dice")
    low, median, high = np.percentile(values, [25, 50, 75])
    text = cell(turned, "net", "heart/LVC", "dice", MARKS)
    assert text == (f"{median:.2f} ± {high - low:.2f} † \\*<br><sub>print 95.20 ± 0.40 † \\*</sub>")


def test_a_mark_needs_a_difference_over_people(turned):
    assert differs(turned, "net", "tool", "heart/LVC", "dice")
    assert not differs(turned, "net", "net", "heart/LVC", "dice")
    turned.cases.loc[turned.cases["row"] == "tool", "dice"] = np.nan
    assert not differs(turned, "net", "tool", "heart/LVC", "dice")


def test_a_figure_that_no_row_has_takes_no_line(turned):
    turned.paper.content["tables"]["Table 4"]["figures"] = ["motion", "dice"]
    lines = lines_of(turned_tables(turned)["Table 4: Hearts"])
    assert not [line for line in lines if line[0].startswith("motion")]
    assert ("Dice %", "LVC") in lines


def test_the_legend_says_what_marks_and_figures_mean(turned):
    turned.paper.content["tables"]["Table 4"]["figures"] = ["motion", "dice"]
    text = turned_tables(turned)["Table 4: Hearts"]
    assert "† from Rigid, * from Tool" in text
    assert "Motion and turn of the bone:" in text
    assert "vanished" not in text
    turned.cases.loc[turned.cases["row"] == "tool", "vanished"] = True
    assert "vanished (Tool 18)" in turned_tables(turned)["Table 4: Hearts"]


def test_unknown_figures_columns_and_rows_get_the_closest_name(turned):
    entry = turned.paper.content["tables"]["Table 4"]
    for change, message in (
        ({"figures": ["dic"]}, "did you mean 'dice'"),
        ({"columns": ["pair"]}, "did you mean 'pairs'"),
        ({"marks": {"*": "tol"}}, "did you mean 'tool'"),
    ):
        turned.paper.content["tables"]["Table 4"] = entry | change
        with pytest.raises(ValueError, match=message):
            turned_tables(turned)
