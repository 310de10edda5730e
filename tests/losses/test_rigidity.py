"""The rigidity penalty against float64 loops, closed forms and finite differences."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from mmzoo.framework import keras
from mmzoo.losses import Rigidity, bone_mask, rigidity
from mmzoo.ops.warp import warp

TERMS = ("linearity", "orthonormality", "properness")
STENCILS = ("compact", "nested")
SPACINGS = [(1.0, 1.0, 1.0), (1.0, 0.5, 3.0)]
UNIT = np.eye(3, dtype=int)
SHAPE = (7, 6, 9)


def only(term):
    return {name: float(name == term) for name in TERMS}


def terms_at(u, x, stencil, spacing):
    """The integrands of Eq. 3.11, 3.12 and 3.15 at the voxel x, for T in mm."""

    def t(*steps):
        place = x + sum(steps, np.zeros(3, int))
        return np.array(spacing) * (place + u[tuple(place)])

    j = np.zeros((3, 3))
    for a in range(3):
        j[:, a] = (t(UNIT[a]) - t(-UNIT[a])) / (2 * spacing[a])
    bending = 0.0
    for a in range(3):
        for b in range(3):  # mixed terms come twice
            if a == b and stencil == "compact":
                second = t(UNIT[a]) - 2 * t() + t(-UNIT[a])
            else:
                high, low = (
                    (t(s * UNIT[b], UNIT[a]) - t(s * UNIT[b], -UNIT[a])) / 2 for s in (1, -1)
                )
                second = (high - low) / 2
            bending += np.sum((second / (spacing[a] * spacing[b])) ** 2)
    return {
        "linearity": bending,
        "orthonormality": np.linalg.norm(j @ j.T - np.eye(3)) ** 2,
        "properness": (np.linalg.det(j) - 1) ** 2,
    }


def penalty_loop(u, mask, weights, stencil="compact", spacing=(1, 1, 1)):
    """The weighted sum, voxel by voxel, for a field (d1, d2, d3, 3)."""
    reach = 1 if stencil == "compact" else 2
    total, size = 0.0, 0.0
    for corner in np.ndindex(*(n - 2 * reach for n in mask.shape)):
        x = np.array(corner) + reach
        terms = terms_at(u, x, stencil, spacing)
        total += mask[tuple(x)] * sum(weights[name] * terms[name] for name in TERMS)
        size += mask[tuple(x)]
    return total / size if size else 0.0


def random_case(batch=2, shape=SHAPE, seed=0):
    rng = np.random.default_rng(seed)
    mask = rng.random((batch, *shape)) * (rng.random((batch, *shape)) < 0.6)
    return rng.normal(size=(batch, *shape, 3)), mask


def grid(shape=SHAPE, spacing=(1, 1, 1)):
    """Places of the voxels in mm."""
    axes = [np.arange(n) * s for n, s in zip(shape, spacing, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1)


def field_of(mapped, spacing=(1, 1, 1)):
    """The ddf in voxels, a batch of one, of places that are mapped in mm."""
    return tf.constant(((mapped - grid(mapped.shape[:3], spacing)) / spacing)[None])


def ones(shape=SHAPE):
    return tf.ones((1, *shape), tf.float64)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("stencil", STENCILS)
@pytest.mark.parametrize("term", TERMS)
def test_each_term_agrees_with_the_loop_at_odd_shapes_and_voxels(term, stencil, spacing, batch):
    u, mask = random_case(batch)
    settings = {"stencil": stencil, "spacing": spacing}
    ours = rigidity(tf.constant(u), tf.constant(mask), **only(term), **settings)
    cases = zip(u, mask, strict=True)
    expected = [penalty_loop(*case, only(term), **settings) for case in cases]
    np.testing.assert_allclose(ours, expected)


def test_weights_add_the_terms_up():
    u, mask = (tf.constant(a) for a in random_case())
    weights = dict(zip(TERMS, (2.0, 0.0, 5.0), strict=True))
    parts = {term: rigidity(u, mask, **only(term)) for term in TERMS}
    expected = 2 * parts["linearity"] + 5 * parts["properness"]
    np.testing.assert_allclose(rigidity(u, mask, **weights), expected)
    np.testing.assert_allclose(rigidity(u, mask), tf.add_n(list(parts.values())))


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("stencil", STENCILS)
def test_is_zero_for_a_rigid_motion_whatever_the_voxels(stencil, spacing):
    rotation = Rotation.from_euler("xyz", [20, -35, 70], degrees=True).as_matrix()
    moved = grid(SHAPE, spacing) @ rotation.T + [3, -1, 2]
    penalty = rigidity(field_of(moved, spacing), ones(), stencil=stencil, spacing=spacing)
    np.testing.assert_allclose(penalty, 0, atol=1e-20)


def test_a_rotation_in_mm_is_not_rigid_in_voxels_longer_along_one_axis():
    spacing = (1.0, 0.5, 3.0)
    rotation = Rotation.from_euler("x", 20, degrees=True).as_matrix()
    u = field_of(grid(SHAPE, spacing) @ rotation.T, spacing)
    assert rigidity(u, ones()).numpy()[0] > 0.1


@pytest.mark.parametrize("a", [0.5, 1.1])
def test_a_scaling_costs_its_closed_form(a):
    u = field_of(a * grid())
    assert rigidity(u, ones()).numpy()[0] == pytest.approx(3 * (a**2 - 1) ** 2 + (a**3 - 1) ** 2)


@pytest.mark.parametrize("axis", range(3))
def test_a_reflection_costs_4_by_its_determinant_alone(axis):
    x = grid()
    x[..., axis] *= -1
    for term, expected in zip(TERMS, (0, 0, 4), strict=True):
        np.testing.assert_allclose(
            rigidity(field_of(x), ones(), **only(term)), expected, atol=1e-20
        )


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("stencil", STENCILS)
@pytest.mark.parametrize(
    ("power", "expected"),
    [
        ((2, 0, 0), 4),
        ((0, 2, 0), 4),
        ((0, 0, 2), 4),
        ((1, 1, 0), 2),
        ((1, 0, 1), 2),
        ((0, 1, 1), 2),
    ],
)
def test_quadratic_motions_have_their_closed_form(power, expected, stencil, spacing):
    x = grid(SHAPE, spacing)
    x[..., 1] += 0.1 * np.prod(x**power, axis=-1)  # T_ii = 2, or T_ij = 1 twice, squared
    linearity = rigidity(
        field_of(x, spacing), ones(), **only("linearity"), stencil=stencil, spacing=spacing
    )
    np.testing.assert_allclose(linearity, 0.01 * expected)


def test_only_the_compact_form_sees_a_field_that_alternates():
    u = np.zeros((1, 8, 8, 8, 3))
    u[..., 0] = (-1.0) ** np.arange(8)[None, :, None, None]
    np.testing.assert_allclose(rigidity(tf.constant(u), ones((8, 8, 8)), stencil="nested"), 0)
    np.testing.assert_allclose(rigidity(tf.constant(u), ones((8, 8, 8))), 16)  # u_11 = -4 u


def test_what_lies_outside_the_mask_does_not_count():
    u, mask = random_case()
    mask[:, :4] = 0  # the stencils reach one voxel further
    other = u.copy()
    other[:, :3] = np.nan
    both = [rigidity(tf.constant(field), tf.constant(mask)) for field in (u, other)]
    np.testing.assert_array_equal(*both)
    assert both[0].numpy().min() > 0


def test_only_the_ratios_of_mask_values_matter():
    u, mask = (tf.constant(a) for a in random_case())
    np.testing.assert_allclose(rigidity(u, 0.25 * mask), rigidity(u, mask))


@pytest.mark.parametrize("stencil", STENCILS)
def test_a_mask_at_the_border_counts_where_stencils_lie_inside(stencil):
    u, _ = random_case()
    reach = STENCILS.index(stencil) + 1
    mask = np.zeros((2, *SHAPE))
    mask[:, 0] = mask[0, -4:, :4] = (
        1  # item 0: a bone in a corner; item 1: in the first plane alone
    )
    ours = rigidity(tf.constant(u), tf.constant(mask), stencil=stencil)
    inner = np.zeros_like(mask)
    inner[0, -4:-reach, reach:4, reach:-reach] = 1
    expected = [penalty_loop(u[0], inner[0], dict.fromkeys(TERMS, 1.0), stencil), 0]
    np.testing.assert_allclose(ours, expected)


def gradients(u, mask, **settings):
    u, mask = tf.constant(u), tf.constant(mask)
    with tf.GradientTape() as tape:
        tape.watch([u, mask])
        penalty = rigidity(u, mask, **settings)
    return penalty.numpy(), tape.gradient(penalty, [u, mask])


def test_an_empty_mask_costs_0_and_has_a_finite_gradient():
    u, mask = random_case()
    mask[1] = 0
    penalty, (gradient, _) = gradients(u, mask)
    assert penalty[0] > 0 and penalty[1] == 0
    gradient = tf.convert_to_tensor(gradient).numpy()
    assert np.abs(gradient[0]).max() > 0 and not gradient[1].any()
    penalty, (gradient, _) = gradients(u, 0 * mask)
    assert not penalty.any() and not tf.convert_to_tensor(gradient).numpy().any()


def test_nan_inside_the_mask_or_in_it_is_not_hidden():
    u, mask = random_case()
    u[0, 3, 3, 3] = np.nan
    mask[0, 3, 3, 4] = 1
    mask[1, 3, 3, 3] = np.nan
    assert np.isnan(rigidity(tf.constant(u), tf.constant(mask))).all()


@pytest.mark.parametrize("stencil", STENCILS)
@pytest.mark.parametrize("term", TERMS)
def test_gradient_agrees_with_finite_differences_of_the_loop(term, stencil):
    u, mask = random_case(shape=(5, 6, 7))
    u *= 0.3
    settings = {"stencil": stencil, "spacing": SPACINGS[1]}
    _, (gradient, to_mask) = gradients(u, mask, **only(term), **settings)
    gradient = tf.convert_to_tensor(gradient).numpy()
    assert to_mask is None
    rng = np.random.default_rng(2)
    for item in (0, 0, 0, 1, 1):
        index = (item, 2, 3, rng.integers(1, 6), rng.integers(3))
        step = np.zeros_like(u)
        step[index] = 1e-5
        high, low = (
            penalty_loop((u + s * step)[item], mask[item], only(term), **settings) for s in (1, -1)
        )
        assert gradient[index] == pytest.approx((high - low) / 2e-5, rel=1e-5, abs=1e-7)


def test_a_graph_of_unknown_sizes_gives_the_eager_value_in_float32():
    u, mask = (tf.constant(a, tf.float32) for a in random_case())
    signature = [tf.TensorSpec((None,) * 4 + (3,)), tf.TensorSpec((None,) * 4)]
    graph = tf.function(rigidity, input_signature=signature)
    np.testing.assert_allclose(graph(u, mask), rigidity(u, mask), rtol=1e-5)


# === The mask ===


def test_the_mask_is_the_union_of_bones_carried_by_the_field():
    u, label = random_case()
    labels = np.stack([label, np.roll(label, 1, axis=1)], axis=-1)
    carried = bone_mask(tf.constant(labels), tf.constant(u))
    np.testing.assert_allclose(carried, warp(tf.constant(labels.max(-1)), tf.constant(u)))


def test_the_literal_mask_is_the_label_as_it_stands():
    u, label = random_case()
    literal = bone_mask(tf.constant(label), tf.constant(u), mask="literal")
    np.testing.assert_array_equal(literal, label)


def test_no_gradient_goes_through_the_carried_mask():
    u, label = (tf.constant(a) for a in random_case())
    loss, held = Rigidity(), bone_mask(label, u)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(u)
        carried, fixed = loss.call(label, u), rigidity(u, held)
    to_carried, to_fixed = (tf.convert_to_tensor(tape.gradient(v, u)) for v in (carried, fixed))
    np.testing.assert_allclose(carried, fixed)
    np.testing.assert_allclose(to_carried, to_fixed)


# === The class ===


@pytest.mark.deepreg  # as it builds its models
def test_takes_symbolic_tensors():
    inputs = [keras.Input((*SHAPE, 2)), keras.Input((*SHAPE, 3))]
    model = keras.Model(inputs, Rigidity().call(*inputs))
    u, label = random_case()
    labels = tf.constant(np.stack([label, label / 2], axis=-1), tf.float32)
    ddf = tf.constant(u, tf.float32)
    np.testing.assert_allclose(model([labels, ddf]), Rigidity().call(labels, ddf), rtol=1e-5)


def test_wrong_fields_masks_and_settings_are_named():
    u, mask = tf.zeros((1, 8, 8, 8, 3)), tf.zeros((1, 8, 8, 8))
    with pytest.raises(ValueError, match="`ddf` must be"):
        rigidity(mask, mask)
    with pytest.raises(ValueError, match=r"`mask` must have rank 4, got shape \(1, 8, 8, 8, 3\)"):
        rigidity(u, u)
    with pytest.raises(ValueError, match="`mask` and .* must have the same shape"):
        rigidity(u, mask[:, 1:])
    with pytest.raises(ValueError, match="at least 3 voxels an axis"):
        rigidity(u[:, :2], mask[:, :2])
    with pytest.raises(ValueError, match="at least 5 voxels an axis"):
        rigidity(u[:, :4], mask[:, :4], stencil="nested")
    with pytest.raises(ValueError, match="`orthonormality` must be a number at least 0, got -1"):
        Rigidity(orthonormality=-1)
    with pytest.raises(ValueError, match="did you mean 'carried'"):
        Rigidity(mask="caried")
    with pytest.raises(ValueError, match="`label` and .* must have the same shape"):
        bone_mask(mask[:, 1:], u, mask="literal")


def test_a_bone_that_the_field_carries_over_the_border_stays_free_where_it_moves_rigidly():
    label = np.zeros((1, *SHAPE))
    label[0, :3, 2:5, -4:] = 1  # touches two borders
    shift = np.broadcast_to([-1.5, 0.5, 2.0], (1, *SHAPE, 3)).copy()
    mask = bone_mask(tf.constant(label), tf.constant(shift))
    assert mask.numpy()[0, :5].sum() > 0
    np.testing.assert_allclose(rigidity(tf.constant(shift), mask), 0, atol=1e-12)
    scaled = field_of(1.1 * grid())
    mask = bone_mask(tf.constant(label), scaled)
    expected = 3 * (1.1**2 - 1) ** 2 + (1.1**3 - 1) ** 2
    np.testing.assert_allclose(rigidity(scaled, mask), expected)


def test_a_bone_that_the_field_carries_out_of_the_image_costs_nothing():
    label = np.zeros((1, *SHAPE))
    label[0, 2:4, 2:4, 2:4] = 1
    away = np.broadcast_to([20.0, 0, 0], (1, *SHAPE, 3))
    mask = bone_mask(tf.constant(label), tf.constant(away))
    assert not mask.numpy().any() and rigidity(tf.constant(away), mask).numpy() == 0
