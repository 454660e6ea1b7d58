"""Mirrors, turns and bends against scipy and against numpy's own turning."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.interpolate import BSpline

from medfl.augment.draws import COLUMNS, Draws
from medfl.augment.geometry import affine_matrices, flip, move, rotations, warp
from medfl.augment.presets import Recipe
from medfl.augment.splines import INTERVALS, NODES, basis, smooth_field

SCIPY = {"zeros": "grid-constant", "border": "nearest", "reflection": "reflect"}


def images(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def table(size, **columns):
    """Draws whose numbers are written down: 0.5 is neutral."""
    draws = Draws(size, torch.Generator().manual_seed(0))
    draws.table.fill_(0.5)
    for name, value in columns.items():
        draws.table[:, COLUMNS.index(name)] = torch.as_tensor(value, dtype=torch.float64)
    return draws


@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (2, 1, 4, 5, 6)])
def test_mirrors_are_exact_and_name_the_axis_that_they_turn(shape):
    for name, axis in (("flip_horizontal", -1), ("flip_vertical", -2), ("flip_depth", -3)):
        if name == "flip_depth" and len(shape) == 4:
            continue
        before = images(*shape)
        after = before.clone()
        flip(after, Recipe(**{name: 0.5}), table(2, **{name: [0.4, 0.6]}))
        assert np.array_equal(after[0].numpy(), np.flip(before[0].numpy(), axis))
        assert torch.equal(after[1], before[1]), "only where the draw says so"


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_quarter_turn_is_numpys(quarters):
    picture = images(2, 3, 8, 8)
    matrix = rotations([torch.full((2,), quarters * math.pi / 2, dtype=torch.float64)])
    theta = torch.cat([matrix, torch.zeros(2, 2, 1)], dim=2)
    expected = np.rot90(picture.numpy(), quarters, axes=(2, 3))
    assert warp(picture, theta, None, "zeros").numpy() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("axis", "planes"), [(0, (3, 4)), (1, (2, 4)), (2, (2, 3))], ids=["D", "H", "W"]
)
def test_a_quarter_turn_of_a_volume(axis, planes):
    volume = images(1, 2, 6, 6, 6)
    angles = [torch.zeros(1, dtype=torch.float64) for _ in range(3)]
    angles[axis] += math.pi / 2
    theta = torch.cat([rotations(angles), torch.zeros(1, 3, 1)], dim=2)
    expected = np.rot90(volume.numpy(), 1, axes=planes)
    assert warp(volume, theta, None, "zeros").numpy() == pytest.approx(expected, abs=1e-12)


def scipy_affine(picture, theta, padding):
    """The same by scipy: axes in the order (D,) H, W and coordinates from the first pixel."""
    turn = theta[:, :-1].numpy()[::-1, ::-1]
    centre = (np.array(picture.shape[1:]) - 1) / 2
    offset = centre + theta[:, -1].numpy()[::-1] - turn @ centre
    return np.stack(
        [
            ndimage.affine_transform(channel, turn, offset, order=1, mode=SCIPY[padding])
            for channel in picture.numpy()
        ]
    )


@pytest.mark.parametrize("padding", sorted(SCIPY))
@pytest.mark.parametrize("shape", [(9, 9), (8, 12), (6, 9, 7)])
def test_any_affine_map_is_scipys(shape, padding):
    recipe = Recipe(affine_probability=1, rotation=40, scale=0.3, shift=0.2, shear=20)
    picture = images(4, 2, *shape)
    draws = Draws(4, torch.Generator().manual_seed(5))
    theta = affine_matrices(recipe, draws, torch.arange(4), shape)
    expected = [scipy_affine(p, t, padding) for p, t in zip(picture, theta, strict=True)]
    found = warp(picture, theta, None, padding)
    assert found.numpy() == pytest.approx(np.stack(expected), abs=1e-10)
    # … and `move` is that, in place, however the batch lies in memory.
    moved = picture.clone(memory_format=torch.channels_last) if len(shape) == 2 else picture.clone()
    move(moved, Recipe(**{**vars(recipe), "padding": padding}), draws)
    assert moved.numpy() == pytest.approx(np.stack(expected), abs=1e-10)


def test_what_each_limit_does():
    square = torch.zeros(1, 1, 16, 16, dtype=torch.float64)
    square[..., 6:10, 6:10] = 1

    def moved(**numbers):
        columns = {name: number for name, number in numbers.items() if name in COLUMNS}
        limits = {name: number for name, number in numbers.items() if name not in COLUMNS}
        picture = square.clone()
        recipe = Recipe(affine_probability=1, **{k.rstrip("_"): v for k, v in limits.items()})
        move(picture, recipe, table(1, **columns))
        return picture[0, 0]

    right = moved(shift_=0.25, shift_x=1.0)  # a quarter of 16 pixels
    assert torch.allclose(right[6:10, 10:14], torch.ones(4, 4, dtype=torch.float64))
    assert float(right.sum()) == pytest.approx(16)
    down = moved(shift_=0.25, shift_y=1.0)
    assert torch.allclose(down[10:14, 6:10], torch.ones(4, 4, dtype=torch.float64))
    larger = moved(scale_=0.5, scale=1.0)  # 1.5 times as long, 2.25 as large
    assert float(larger.sum()) == pytest.approx(16 * 2.25, rel=0.02)
    smaller = moved(scale_=0.5, scale=0.0)
    assert float(smaller[8].sum()) == pytest.approx(4 / 1.5, rel=0.1)


def test_nothing_moves_by_nothing():
    picture = images(3, 2, 7, 7)
    same = picture.clone()
    move(same, Recipe(), Draws(3, torch.Generator().manual_seed(1)))
    assert torch.equal(same, picture)


def test_spline_weights_are_those_of_scipys_b_splines():
    size = 12
    knots = np.arange(-3, INTERVALS + 4, dtype=float)
    expected = [
        BSpline(knots, np.eye(NODES)[k], 3)((np.arange(size) + 0.5) / size * INTERVALS)
        for k in range(NODES)
    ]
    assert basis(size).numpy() == pytest.approx(np.array(expected).T, abs=1e-12)


@pytest.mark.parametrize("shape", [(10, 6), (5, 8, 6)])
def test_a_field_is_the_sum_over_its_nodes(shape):
    nodes = images(2, *[NODES] * len(shape))
    letters = "xyz"[: len(shape)]
    terms = ",".join(f"{letter.upper()}{letter}" for letter in letters)
    expected = np.einsum(
        f"k{letters},{terms}->k{letters.upper()}", nodes, *[basis(size) for size in shape]
    )
    assert smooth_field(nodes, shape).numpy() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("shape", [(12, 10), (6, 8, 7)])
def test_bending_is_scipys_map_coordinates(shape):
    dims = len(shape)
    picture = images(2, 2, *shape)
    nodes = (images(2, dims, *[NODES] * dims, seed=1) - 0.5) * 0.2
    identity = torch.eye(dims, dims + 1, dtype=torch.float64).repeat(2, 1, 1)
    found = warp(picture, identity, nodes, "border").numpy()
    for k in range(2):
        field = smooth_field(nodes[k], shape).numpy()  # along x, y (, z), in parts of the side
        places = np.meshgrid(*[np.arange(size) for size in shape], indexing="ij")
        places = [place + field[dims - 1 - axis] * shape[axis] for axis, place in enumerate(places)]
        for channel in range(2):
            expected = ndimage.map_coordinates(picture[k, channel], places, order=1, mode="nearest")
            assert found[k, channel] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("dims", [2, 3])
def test_the_strongest_bending_does_not_fold(dims):
    """Neighbouring points keep their order along every axis at the limit of the configuration."""
    size = 24
    for seed in range(20):
        nodes = (2 * images(dims, *[NODES] * dims, seed=seed) - 1) * 0.1
        field = smooth_field(nodes, (size,) * dims) * size
        gradients = torch.stack(
            [torch.stack(torch.gradient(field[k]), dim=-1) for k in range(dims)], dim=-2
        ).flip(-1)
        jacobian = torch.eye(dims, dtype=torch.float64) + gradients
        assert float(torch.linalg.det(jacobian).min()) > 0
