"""Mirror pictures, and move their pixels in one single interpolation.

A point is (x, y) or (x, y, z) along W, H and D, in pixels from the image's centre; pixels are taken
to be as long as wide (and as deep). ``warp`` reads the output's point p at A·p + t + u(p).
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from medfl.augment.draws import Draws
from medfl.augment.presets import Recipe
from medfl.augment.splines import NODES, smooth_field

FLIPS = {"flip_horizontal": -1, "flip_vertical": -2, "flip_depth": -3}


def flip(images: Tensor, recipe: Recipe, draws: Draws) -> None:
    """Mirror the chosen samples, in place and exactly."""
    for name, axis in FLIPS.items():
        rows = draws.chosen(name, getattr(recipe, name))
        if len(rows):
            on_device = rows.to(images.device, non_blocking=True)
            images[on_device] = images[on_device].flip(axis)


def move(images: Tensor, recipe: Recipe, draws: Draws) -> None:
    """Turn, scale, shift, shear and bend the chosen samples, in place."""
    affine = draws.chosen("affine", recipe.affine_probability)
    elastic = draws.chosen("elastic", recipe.elastic_probability)
    rows = torch.cat([affine, elastic]).unique()
    if not len(rows):
        return
    shape = tuple(images.shape[2:])
    dims = len(shape)
    theta = torch.eye(dims, dims + 1, dtype=torch.float64).repeat(len(rows), 1, 1)
    if len(affine):
        theta[torch.searchsorted(rows, affine)] = affine_matrices(recipe, draws, affine, shape)
    nodes = None
    if len(elastic):
        nodes = torch.zeros(len(rows), dims, *[NODES] * dims)
        generator = draws.generator("elastic")
        drawn = 2 * torch.rand(len(elastic), *nodes.shape[1:], generator=generator) - 1
        nodes[torch.searchsorted(rows, elastic)] = drawn * recipe.elastic
    on_device = rows.to(images.device, non_blocking=True)
    images[on_device] = warp(images[on_device], theta, nodes, recipe.padding)


def affine_matrices(recipe: Recipe, draws: Draws, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Make the sampling matrices (k, n, n+1) of these samples, float64, with shifts in pixels.

    A positive angle turns the picture counter-clockwise; a scale above 1 makes it larger; a
    positive shift moves it right, down, and to later slices.
    """
    volume = len(shape) == 3
    angles = [draws.either_way("rotation", rows, math.radians(recipe.rotation))]
    if volume:
        for axis in ("tilt_y", "tilt_x"):
            angles.append(draws.either_way(axis, rows, math.radians(recipe.rotation)))
    matrix = rotations(angles)
    shear = draws.either_way("shear", rows, math.radians(recipe.shear)).tan()
    slant = torch.eye(len(shape), dtype=torch.float64).repeat(len(rows), 1, 1)
    slant[:, 0, 1] = shear
    matrix = matrix @ slant / draws.ratio("scale", rows, recipe.scale)[:, None, None]
    axes = ("shift_x", "shift_y", "shift_z")[: len(shape)]
    shifts = [
        draws.either_way(axis, rows, recipe.shift) * size
        for axis, size in zip(axes, reversed(shape), strict=True)
    ]
    # The shift comes after all else: this is where the picture's own point p − s came from.
    offset = -(matrix @ torch.stack(shifts, dim=1)[:, :, None])
    return torch.cat([matrix, offset], dim=2)


def rotations(angles: list[Tensor]) -> Tensor:
    """(k, 2, 2) about the centre, or (k, 3, 3) about the axes D, H and W in turn; radians."""
    dims = 2 if len(angles) == 1 else 3
    total = torch.eye(dims, dtype=torch.float64).repeat(len(angles[0]), 1, 1)
    for angle, (first, second) in zip(angles, ((0, 1), (0, 2), (1, 2)), strict=False):
        turn = torch.eye(dims, dtype=torch.float64).repeat(len(angle), 1, 1)
        turn[:, first, first] = turn[:, second, second] = angle.cos()
        turn[:, first, second], turn[:, second, first] = -angle.sin(), angle.sin()
        total = total @ turn
    return total


def warp(images: Tensor, theta: Tensor, nodes: Tensor | None, padding: str) -> Tensor:
    """Sample images (k, C, …) at moved points, bilinear or trilinear.

    Args:
        images: (k, C, H, W) or (k, C, D, H, W).
        theta: (k, n, n+1) float64, from output to input points in pixels.
        nodes: (k, n, NODES, …) control points of the displacement along x, y (, z), in parts of
            the image's side; None for no bending.
        padding: as ``grid_sample`` has it: ``zeros``, ``border`` or ``reflection``.

    Returns:
        A new tensor of the same shape.
    """
    shape = tuple(images.shape[2:])
    sides = torch.tensor(shape[::-1], dtype=torch.float64) / 2  # x first
    # grid_sample's coordinates run from −1 to 1 over each side.
    linear = theta[:, :, :-1] * (sides[None, None, :] / sides[None, :, None])
    offset = theta[:, :, -1:] / sides[None, :, None]
    normal = torch.cat([linear, offset], dim=2).to(images.dtype)
    normal = normal.to(images.device, non_blocking=True)
    points = _points(shape).to(images.device, images.dtype, non_blocking=True)
    grid = (points @ normal.transpose(1, 2)).view(len(images), *shape, len(shape))
    if nodes is not None:
        field = smooth_field(nodes.to(images.device, images.dtype, non_blocking=True), shape)
        grid += field.movedim(1, -1) * 2
    return grid_sample(images, grid, "bilinear", padding, align_corners=False)


@lru_cache(maxsize=8)
def _points(shape: tuple[int, ...]) -> Tensor:
    """(pixels, n+1) float64: (x, y(, z), 1) of each pixel's centre, from −1 to 1."""
    axes = [(2 * torch.arange(size, dtype=torch.float64) + 1) / size - 1 for size in shape]
    grids = torch.meshgrid(*axes, indexing="ij")[::-1]
    return torch.stack([*grids, torch.ones(shape, dtype=torch.float64)], dim=-1).flatten(0, -2)
