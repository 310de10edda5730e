"""The page of `benchmarks/register.py`: verdict, means, pairs lost, pairs without motion."""

import pytest

from benchmarks.registration.page import write_page


def row(method, dice, key="heart-0", tre=float("nan"), **more):
    figures = {"tre_mm": tre, "dice": dice, "folding_percent": 0.0, "notes": []}
    spent = {"seconds": 10.0, "processor_seconds": 12.0, "memory_mb": 500.0}
    return {"key": key, "group": "heart", "pair": key, "method": method, **figures, **spent, **more}


def still(method, moved, notes=()):
    return {**row(method, 1.0, "still-t1", moved), "group": "no motion", "notes": list(notes)}


@pytest.fixture
def page(tmp_path):
    results = [
        row("before", 0.4, tre=9.0),
        row("affine", 0.6, tre=4.0),
        row("mmzoo register", 0.8, tre=2.0),
        row("ANTs SyN", 0.7, tre=1.5, seconds=20.0),
        row("before", 0.4, "heart-1"),
        row("affine", 0.65, "heart-1"),
        row("mmzoo register", 0.6, "heart-1", notes=["doubtful: look"]),
        row("ANTs SyN", 0.7, "heart-1", seconds=40.0),
        row("affine", 0.1, "heart-2"),  # the others gave it up
        still("affine", 0.25),
        still("mmzoo register", 0.31, ["doubtful: look"]),
    ]
    gone = {"key": "heart-2", "group": "heart", "pair": "heart-2", "method": "ANTs SyN"}
    return write_page(tmp_path, results, [{**gone, "failed": "Too many samples"}]).read_text()


def test_counts_pairs_that_mmzoo_has_better(page):
    assert "| ANTs SyN | 0 of 1 pairs | 1 of 2 pairs | 3.0 | 2.0 to 4.0 |" in page
    assert "| affine | 1 of 1 pairs | 1 of 2 pairs | 1.0 | 1.0 to 1.0 |" in page


def test_means_are_over_the_pairs_that_all_methods_finished(page):
    means = page.split("## Means of each kind")[1].split("##")[0]
    assert "| pairs | before | affine | mmzoo register | ANTs SyN |" in means
    cells = (
        "9.00 / 0.400 | 4.00 / 0.625, 10 s | 2.00 / **0.700**, 10 s | **1.50** / **0.700**, 30 s"
    )
    assert f"| Heart phantom (2) | {cells} |" in means


def test_names_pairs_that_are_worse_than_the_affine_stage_and_what_gave_up(page):
    lost = page.split("## Pairs lost")[1].split("##")[0]
    assert "* mmzoo register: heart-1 (Dice 0.600 for 0.650, doubted)" in lost
    assert "ANTs" not in lost
    assert "* ANTs SyN, heart-2: Too many samples" in page


def test_says_what_was_moved_where_nothing_moves(page):
    assert "| still-t1 | 0.25 | 0.31, doubtful |" in page


def test_the_best_of_each_pair_is_bold(page):
    assert "| heart-0 | mmzoo register | 2.00 | **0.800** |" in page
    assert "| heart-0 | ANTs SyN | **1.50** | 0.700 |" in page
