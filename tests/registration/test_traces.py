"""A second registration on the same box traces, and so compiles, nothing anew."""

import pytest
import SimpleITK as sitk
from helpers_registration import pair
from tensorflow.python.framework import func_graph

import mmzoo

SMALL = {"initial": "none", "resolution_mm": 6.0, "steps": [4, 2], "weight": 40.0}


@pytest.fixture()
def traces(monkeypatch):
    """A list that grows with each function that TensorFlow traces."""
    seen, trace = [], func_graph.func_graph_from_py_func

    def counted(name, *rest, **options):
        seen.append(name)
        return trace(name, *rest, **options)

    monkeypatch.setattr(func_graph, "func_graph_from_py_func", counted)
    return seen


def test_another_moving_image_on_the_same_box_traces_nothing(traces):
    fixed, moving, _ = pair()
    first = mmzoo.register(fixed, moving, **SMALL)
    assert len(traces) > 3  # they are counted
    del traces[:]
    brighter = sitk.Image(moving) * 2 + 1
    again = mmzoo.register(fixed, brighter, **SMALL)
    assert traces == []
    assert again.report["loss_after"] == pytest.approx(first.report["loss_after"], rel=1e-3)


def test_other_settings_are_traced(traces):
    fixed, moving, _ = pair()
    mmzoo.register(fixed, moving, **SMALL)
    del traces[:]
    found = mmzoo.register(fixed, moving, **SMALL | {"weight": 80.0})
    assert traces and found.report["settings"]["weight"] == 80.0
