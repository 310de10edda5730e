import json

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.speed import parts
from mmzoo.planning import graph_cost


@pytest.fixture(scope="module")
def graph():
    """A step that learns a kernel of stride 2; the gradient by the image is traced in vain."""
    image = tf.random.stateless_uniform((1, 8, 6, 4, 2), (1, 2))
    kernel = tf.Variable(tf.ones((3, 3, 3, 2, 5)))

    @tf.function
    def step(image):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.nn.conv3d(image, kernel, (1, 2, 2, 2, 1), "SAME") ** 2)
        kernel.assign_sub(tape.gradient(loss, kernel))
        return loss

    @tf.function
    def outer(image):
        return step(image)

    graph = outer.get_concrete_function(image).graph
    return graph, list(parts.convolutions(graph))


def test_convolutions_are_those_that_run_inside_functions_too(graph):
    assert [each.type for each in graph[1]] == ["Conv3D", "Conv3DBackpropFilterV2"]


def test_multiply_adds_are_taps_by_voxels_of_the_smaller_volume(graph):
    for operation in graph[1]:
        expected = 27 * 2 * 5 * (4 * 3 * 2)
        assert parts.multiply_adds(parts.kind_of(operation)) == expected
        assert graph_cost.multiply_adds(operation) == expected


def test_a_convolution_is_run_by_its_kind_alone(graph):
    shapes = [parts.replay(parts.kind_of(each))().shape for each in graph[1]]
    assert shapes == [(1, 4, 3, 2, 5), (3, 3, 3, 2, 5)]


def test_the_page_has_a_table_for_each_processor(tmp_path):
    (tmp_path / "parts").mkdir()
    part = {"convolutions": 0.2, "losses": 0.05, "whole": 0.26, "multiply_adds": 4e9}
    for name in ("A", "B"):
        kept = {"processor": name, "size": [64, 64, 64], "multiply_adds_s": 40e9}
        kept["methods"] = {"VM-NCC": part}
        (tmp_path / f"parts/{name}.json").write_text(json.dumps(kept))
    text = parts.write_page(tmp_path).read_text()
    assert text.count("| VM-NCC | 0.200 | 0.050 | 0.260 | 1.30x | 50 % |") == 2
    assert "## B, 64x64x64" in text


@pytest.mark.parametrize("title", ["MMRegNet", "de Vos, PoolNet", "Deform-GAN"])
def test_weights_may_stand_in_the_place_of_the_networks(title):
    from benchmarks.step import build

    config = str(parts.METHODS[title])
    with parts.given_networks(parts.fields_of(config)):
        run, graph = parts.step_of(*build([config], (16,) * 3, 1, backbone=parts.GIVEN))
    assert not list(parts.convolutions(graph))
    first, second = run(), run()
    assert np.isfinite(first) and first != second
