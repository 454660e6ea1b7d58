"""What protection draws at random: samples by chance, and Gaussian noise.

Each draw is from a generator that serves one key alone, so that a run can be repeated, or from the
system's own source of randomness, which nobody can repeat.
"""

from __future__ import annotations

import os

import numpy as np
import torch
from torch import Tensor


def uniforms(count: int, generator: torch.Generator | None) -> Tensor:
    """Numbers from 0 up to 1, (count,), in float64 on the CPU; None is the system's source."""
    if generator is not None:
        return torch.rand(count, generator=generator, dtype=torch.float64)
    return torch.from_numpy(_system_uniforms(count))


def normals(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard normal numbers of the shape, type and device of ``like``.

    ``generator`` is on that device; None is the system's source, by Box and Muller's transform.
    """
    if generator is not None:
        return torch.randn(
            like.shape, generator=generator, dtype=like.dtype, device=generator.device
        )
    half = (like.numel() + 1) // 2
    radius = np.sqrt(-2 * np.log1p(-_system_uniforms(half)))
    angle = 2 * np.pi * _system_uniforms(half)
    drawn = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[: like.numel()]
    return torch.from_numpy(drawn).to(like.device, like.dtype).view(like.shape)


def poisson_sample(rate: float, members: Tensor, generator: torch.Generator | None) -> Tensor:
    """Which entries are drawn, (n,) booleans, where each member is drawn with probability ``rate``.

    Args:
        rate: q; members are drawn independently of each other and of other samples.
        members: (n,), the number of each entry's member, from 0 up: entries of one member are
            drawn together.
        generator: on the CPU; None is the system's source.
    """
    count = int(members.max()) + 1 if len(members) else 0
    return (uniforms(count, generator) < rate)[members]


def _system_uniforms(count: int) -> np.ndarray:
    bits = np.frombuffer(os.urandom(8 * count), dtype=np.uint64)
    return (bits >> np.uint64(11)) * 2.0**-53
