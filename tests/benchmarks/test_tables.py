import math

import numpy as np
import pytest
from helpers_pages import rows_of

from benchmarks.engine.grid import grid_table
from benchmarks.engine.results import collect
from benchmarks.engine.tables import ablation_table, legend, markdown, method_table, paper_tables


def table_of(results, heading="Table 1: Hearts"):
    return rows_of(paper_tables(results)[heading])


def test_a_markdown_table_aligns_text_left_and_numbers_right():
    assert markdown(["a", "b", "c"], [["x", "y", "1"]], text=2) == (
        "| a | b | c |\n| --- | --- | ---: |\n| x | y | 1 |\n"
    )


def test_there_is_one_table_for_each_of_the_papers(results):
    assert list(paper_tables(results)) == ["Table 1: Hearts", "Table 2: Livers"]


def test_without_named_tables_there_is_one_a_data_set(results):
    del results.paper.content["tables"]
    assert list(paper_tables(results)) == ["Hearts", "Livers"]


def show(results, **entry):
    """Return the first table with other figures or columns."""
    results.paper.content["tables"] = {"Table 1": {"data": ["heart"], **entry}}
    return table_of(results)


def test_a_table_shows_the_figures_and_columns_that_it_asks_for(results):
    table = show(results, figures=["nmi", "dice"], columns=["folded", "pairs"])
    header = list(table["Net"])
    assert header == ["method", "LVC Dice %", "Myo Dice %", "NMI", "folded cases", "pairs"]


def test_a_figure_of_the_whole_image_counts_a_pair_once(results):
    chosen = results.cases["row"] == "net"
    results.cases.loc[chosen, "nmi"] = 0.25
    results.cases.loc[chosen & (results.cases["fixed"] == "ct_000"), "nmi"] = 0.85
    cell = show(results, figures=["nmi"])["Net"]["NMI"]
    values = np.repeat([0.85, *[0.25] * 5], 3)
    assert cell.startswith(f"{values.mean():.4f} ± {values.std(ddof=1):.4f}")


def test_folded_cases_are_counted_with_the_print(results):
    chosen = (results.cases["row"] == "net") & (results.cases["fixed"] != "ct_000")
    results.cases.loc[chosen, "folding_percent"] = 0.0
    results.paper.content["printed"]["net"]["heart"] = {"folded": "23 of 50"}
    table = show(results, columns=["folded"])
    assert table["Net"]["folded cases"] == "3 of 18<br><sub>print 23 of 50</sub>"
    assert table["Tool"]["folded cases"] == "6 of 6"


def test_a_row_that_does_not_run_on_the_data_is_left_out_or_dashed(results):
    results.paper.content["rows"]["tool"]["data"] = ["liver"]
    assert list(table_of(results)) == ["before", "Net"]
    assert list(table_of(results, "Table 2: Livers")) == ["before", "Tool", "Net"]
    results.paper.content["tables"] = {"Both": ["heart", "liver"]}
    (table,) = paper_tables(results).values()
    assert rows_of(table)["Tool"]["LVC (Hearts) Dice %"] == "–"
    assert rows_of(table)["Tool"]["Liver (Livers) Dice %"].startswith("60")


def test_an_unknown_figure_or_column_is_named(results):
    with pytest.raises(ValueError, match="figure of a table` is 'hdd'"):
        show(results, figures=["hdd"])
    with pytest.raises(ValueError, match="column of a table` is 'fold': did you mean 'folded'"):
        show(results, columns=["fold"])


def test_the_legend_explains_the_figures_that_are_shown(results):
    assert "NMI" not in legend(results)
    show(results, figures=["nmi"])
    assert "NMI: 2 I / (H + H)" in legend(results)


def test_a_table_leaves_out_data_that_the_scale_leaves_out(results):
    results.paper.content["scales"]["laptop"]["data"] = ["heart"]
    assert list(paper_tables(results)) == ["Table 1: Hearts"]


def test_a_cell_is_mean_and_sample_deviation_over_pairs(results):
    values = np.repeat([50 + 0.1 * person for person in range(6)], 3)
    expected = f"{values.mean():.2f} ± {values.std(ddof=1):.2f}"
    assert table_of(results)["before"]["LVC Dice %"].startswith(expected)
    assert table_of(results)["Tool"]["Myo ASD mm"].startswith("3.98 ± 0.02")


def test_the_print_stands_below_what_was_measured(results):
    net = table_of(results)["Net"]
    assert net["LVC Dice %"].endswith("<br><sub>print 80.28 ± 7.22</sub>")
    assert net["LVC ASD mm"].endswith("<br><sub>print 3.46 ± 1.30</sub>")
    assert "print" not in net["Myo Dice %"]


def test_what_differs_from_the_reference_is_marked(results):
    table = table_of(results)
    assert r"\*" in table["Tool"]["LVC Dice %"]  # six of six people: p = 2/64
    assert r"\*" not in table["Net"]["LVC Dice %"]


def test_what_does_not_differ_is_not_marked(change):
    # one person of six the other way, with the largest difference: p = 2 * 14/64
    results = change("tool", "dice", 0.3, fixed=5)
    table = table_of(results)
    assert r"\*" not in table["Tool"]["LVC Dice %"]
    assert r"\*" in table["Tool"]["LVC ASD mm"]


def test_figures_of_the_whole_image_and_the_number_of_pairs_follow(results):
    net, tool = table_of(results)["Net"], table_of(results)["Tool"]
    assert (net["folding %"], net["s a pair"], net["training min"], net["pairs"]) == (
        "0.500",
        "0.54",
        "2.0",
        "18",
    )
    assert (tool["s a pair"], tool["training min"], tool["pairs"]) == ("2.01", "–", "6")


def test_figures_of_the_whole_image_stand_for_each_data_set(results):
    chosen = (results.cases["row"] == "net") & (results.cases["data"] == "liver")
    results.cases.loc[chosen, "seconds"] = 9.0
    table = rows_of(method_table(results, ["net"], ["heart", "liver"]))
    assert table["Net"]["s a pair"] == "0.54 / 9"
    assert table["Net"]["pairs"] == "18"
    assert "Liver (Livers) Dice %" in table["Net"]


def test_a_missing_row_is_shown_as_missing(paper, out):
    for fold in (0, 1):
        (out / f"runs/heart/tool/fold{fold}/evaluation/cases.csv").unlink()
    table = table_of(collect(paper, out))
    assert table["Tool (missing: heart, folds 0 1)"]["LVC Dice %"] == "missing"
    assert table["Net"]["LVC Dice %"].startswith("70.75")


def test_a_missing_fold_is_named_and_the_others_count(paper, out):
    (out / "runs/heart/tool/fold1/evaluation/cases.csv").unlink()
    table = table_of(collect(paper, out))
    assert table["Tool (missing: heart, fold 1)"]["LVC Dice %"].startswith("60.10 ± 0.10")


def test_ablations_stand_beside_the_reference_on_the_same_fold(results):
    table = rows_of(ablation_table(results))
    assert list(table) == ["before", "Net", "Variant"]
    assert table["Net"]["LVC Dice %"].startswith("70.30")  # people 0 to 2 alone
    assert table["Net"]["pairs"] == table["Variant"]["pairs"] == "9"


def test_ablations_may_have_a_reference_of_their_own_and_their_table_s_figures(results):
    results.paper.content["ablations"]["reference"] = "tool"
    results.paper.content["tables"]["Table 1"] = {"data": ["heart"], "figures": ["asd"]}
    table = rows_of(ablation_table(results))
    assert list(table) == ["before", "Tool", "Variant"]
    assert "LVC ASD mm" in table["Tool"] and "LVC Dice %" not in table["Tool"]


def test_printed_seconds_stand_below_the_measured(results):
    results.paper.content["printed"]["net"]["heart"] = {"seconds": "4.4 (CPU)"}
    table = method_table(results, ["net"], ["heart"], columns=["seconds"])
    assert "<br><sub>print 4.4 (CPU)</sub>" in table


def test_a_scale_without_ablations_has_no_tables_of_them(results):
    results.paper.content["scales"]["laptop"] |= {"ablations": [], "grid": False}
    assert ablation_table(results) == grid_table(results) == ""


def test_the_legend_names_the_reference_and_what_vanished(results):
    assert "differs from Net" in legend(results)
    assert "vanished" not in legend(results)
    results.cases.loc[results.cases["row"] == "tool", "vanished"] = True
    assert "Structures that vanished (Tool 18)" in legend(results)


def test_values_that_no_row_has_are_not_marked(results):
    results.cases["asd_mm"] = math.nan
    assert table_of(results)["Tool"]["LVC ASD mm"].startswith("nan")
    assert r"\*" not in table_of(results)["Tool"]["LVC ASD mm"]
