"""Distances within the affine span of points of which only their mutual distances are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def distances_to(squared: Tensor, coefficients: Tensor) -> Tensor:
    """‖x_i − Σ_j α_j x_j‖, (n,), where Σ α_j = 1.

    Args:
        squared: (n, n), ‖x_i − x_j‖².
        coefficients: α, (n,).
    """
    towards = squared @ coefficients
    return (towards - coefficients @ towards / 2).clamp(min=0).sqrt()
