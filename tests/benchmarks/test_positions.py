"""The tables of `benchmarks.registration.positions`: what was found, how often a doubt is right."""

from benchmarks.registration.positions_page import summary


def row(number, kind, error, notes=(), method="mmzoo", cause="search (0.2, 0.1)"):
    found = error < 10
    known = {"pair": f"{number}: t1 of 1 to t2 of 2, {kind}, cut none", "method": method}
    known |= {"error_mm": error, "seconds": 2.0, "processor_seconds": 1.5, "found": found}
    known |= {"notes": list(notes), "doubted": any(n.startswith("doubtful") for n in notes)}
    return known if found else {**known, "cause": cause}


ROWS = [
    row(0, "near", 3.0),
    row(1, "near", 90.0, ["doubtful: elsewhere"]),
    row(2, "turned", 4.0, ["doubtful: elsewhere"]),
    row(3, "far", 50.0, ["headers do not overlap"], cause="similarity (0.1, 0.2)"),
    row(0, "near", 5.0, method="ANTs affine"),
    row(1, "near", 60.0, method="ANTs affine"),
]


def test_counts_what_each_method_found_by_position_and_why_the_rest_was_lost():
    text = summary(ROWS)
    assert "| near | 1 of 2 | 1 of 2 |" in text and "| turned | 1 of 1 | 0 of 0 |" in text
    assert "| all | 2 of 4 | 1 of 2 |" in text
    assert "| lost, the truth is more alike | 1 | 1 |" in text
    assert "| lost, less | 1 | 0 |" in text


def test_says_how_often_a_doubt_is_right_and_names_each_pair():
    text = summary(ROWS)
    assert "| all | 1 of 2 | 1 of 2 |" in text
    assert "| without those that are turned | 1 of 2 | 1 of 1 |" in text
    assert "* 3: t1 of 1 to t2 of 2, far, cut none: 50.0 mm off, similarity" in text
    assert "* 2: t1 of 1 to t2 of 2, turned, cut none: 4.0 mm off, found; elsewhere" in text
