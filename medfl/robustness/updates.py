"""The updates of a round as rows of a matrix, which is never made: it is read block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from medfl.chain.message import Part

BLOCK = 2**19  # entries of a block: in double precision 4 MiB, which a processor's cache may hold


@dataclass(frozen=True)
class Updates:
    """The n updates (k,) that clients send in one part: value − base each, as rows.

    Attributes:
        values: n vectors (k,), as they were sent.
        base: (k,), what all values started from; None stands for zeros.
        weights: (n,), the weights of the values in a mean, not normalised.
        name: of the part.
        mixing: (m, n) float64 on the CPU: the rows are m mixtures of the updates. None where they
            are the updates themselves.
    """

    values: Sequence[Tensor]
    base: Tensor | None
    weights: Sequence[float]
    name: str = ""
    mixing: Tensor | None = None

    @classmethod
    def of(cls, parts: Sequence[Part], name: str = "") -> Updates:
        """The updates of the same part of n messages."""
        weights = [part.weight for part in parts]
        return cls([part.value for part in parts], parts[0].base, weights, name)

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.values) if self.mixing is None else len(self.mixing)

    def mixed(self, mixing: Tensor) -> Updates:
        """Mixtures of these rows, by coefficients (m, n) float64."""
        return replace(self, mixing=mixing if self.mixing is None else mixing @ self.mixing)

    def chosen(self, rows: Sequence[int]) -> Updates:
        """Some of these rows, in the order given."""
        import torch

        if self.mixing is None:
            chosen = [self.values[row] for row in rows]
            return replace(self, values=chosen, weights=[self.weights[row] for row in rows])
        return replace(self, mixing=self.mixing[torch.tensor(rows)])

    def joined(self, value: Tensor) -> Updates:
        """These rows and a last one, the update of ``value`` (k,), whose weight is 0."""
        mixing = self.mixing
        if mixing is not None:
            rows, columns = mixing.shape
            larger = mixing.new_zeros(rows + 1, columns + 1)
            larger[:rows, :columns] = mixing
            larger[rows, columns] = 1.0
            mixing = larger
        values, weights = [*self.values, value], [*self.weights, 0.0]
        return replace(self, values=values, weights=weights, mixing=mixing)

    @property
    def origin(self) -> Tensor:
        """The value (k,) whose update is zero."""
        return self.values[0].new_zeros(self.values[0].shape) if self.base is None else self.base

    def blocks(self, dtype: torch.dtype | None = None) -> Iterator[tuple[slice, Tensor]]:
        """Give the rows' columns block by block: where, and (n, b) in double precision.

        ``dtype`` is another precision, in which mixtures are then rounded. The same mixture is
        made once, so that no rounding tells its rows apart.
        """
        import torch

        width = max(1, BLOCK // len(self.values))
        exact = torch.float64 if dtype is None or self.mixing is not None else dtype
        if self.mixing is not None:
            mixtures, which = torch.unique(self.mixing, dim=0, return_inverse=True)
        for start in range(0, self.values[0].numel(), width):
            where = slice(start, start + width)
            rows = torch.stack([value[where] for value in self.values]).to(exact)
            if self.base is not None:
                rows -= self.base[where].to(exact)
            if self.mixing is not None:
                rows = (mixtures.to(rows.device) @ rows)[which.to(rows.device)]
            yield where, rows if dtype is None else rows.to(dtype)

    def squared_distances(self) -> Tensor:
        """‖u_i − u_j‖², (n, n) float64 on the CPU.

        From differences, so that equal rows are at zero: ‖u_i‖² + ‖u_j‖² − 2⟨u_i, u_j⟩ cancels.
        """
        import torch

        count = len(self)
        found = torch.zeros(count, count, dtype=torch.float64)
        for _, rows in self.blocks():
            for row in range(count - 1):
                apart = rows[row + 1 :] - rows[row]
                found[row, row + 1 :] += torch.linalg.vecdot(apart, apart).cpu()
        return found + found.T

    def squared_norms(self) -> Tensor:
        """‖u_i‖², (n,) float64 on the CPU."""
        import torch

        found = torch.zeros(len(self), dtype=torch.float64)
        for _, rows in self.blocks():
            found += torch.linalg.vecdot(rows, rows).cpu()
        return found

    def products(self, row: int) -> Tensor:
        """⟨u_i, u_row⟩, (n,) float64 on the CPU."""
        import torch

        found = torch.zeros(len(self), dtype=torch.float64)
        for _, rows in self.blocks():
            found += (rows @ rows[row]).cpu()
        return found

    def combined(self, coefficients: Tensor) -> Tensor:
        """Σ α_i u_i, (k,) in the values' precision, by coefficients (n,) float64."""
        import torch

        found = torch.empty_like(self.values[0])
        for where, rows in self.blocks():
            found[where] = coefficients.to(rows.device) @ rows
        return found
