"""The summary of many pairs: what writing it costs, and that it is there however a run ends."""

import csv
from pathlib import Path

import pytest

from mmzoo.registration import summary
from mmzoo.registration.pair_files import PairFiles
from mmzoo.registration.summary import DONE, WAITING, Summary, pair_row

PAIR_S, ROW_S = 0.5, 0.001  # of a clock that stands still but for these


@pytest.fixture
def clock(monkeypatch):
    """Seconds, of which the page takes more the more rows it has."""
    seconds = [0.0]

    def page(out, rows):
        seconds[0] += ROW_S * len(list(rows))
        return "page"

    monkeypatch.setattr(summary, "monotonic", lambda: seconds[0])
    monkeypatch.setattr(summary, "index_page", page)
    return seconds


def waiting(count):
    pairs = [PairFiles(Path("f.nii"), Path("m.nii"), name=f"p{k}") for k in range(count)]
    return {pair.name: pair_row(pair) for pair in pairs}


def states(out):
    return [row["status"] for row in csv.DictReader((out / "summary.csv").open())]


def run(rows, out, clock):
    """Let all pairs end one after the other."""
    written = Summary(out, rows)
    with written:
        for name in rows:
            clock[0] += PAIR_S
            rows[name] |= {"status": DONE}
            written.write_in_time()
            yield states(out)


@pytest.mark.parametrize("count", [200, 2000])
def test_writing_takes_a_twentieth_of_a_run_however_many_pairs_there_are(count, clock, tmp_path):
    for _ in run(waiting(count), tmp_path, clock):
        pass
    writing = clock[0] - count * PAIR_S
    first_and_last = 2 * count * ROW_S
    assert writing <= count * PAIR_S / 20 + first_and_last
    assert states(tmp_path) == [DONE] * count


def test_of_few_pairs_each_is_there_once_it_is_done(clock, tmp_path):
    for k, found in enumerate(run(waiting(5), tmp_path, clock), start=1):
        assert found == [DONE] * k + [WAITING] * (5 - k)


def test_a_run_that_is_ended_leaves_all_that_it_knows(clock, tmp_path):
    rows = waiting(2000)  # whose page takes so long that not every pair is written
    with pytest.raises(KeyboardInterrupt), Summary(tmp_path, rows):
        rows["p0"] |= {"status": DONE}
        assert states(tmp_path)[0] == WAITING
        raise KeyboardInterrupt
    assert states(tmp_path)[:2] == [DONE, WAITING]
