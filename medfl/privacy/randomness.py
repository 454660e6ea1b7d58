"""Where a protecting link's samples and noise come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medfl.chain import Link

if TYPE_CHECKING:
    import torch


class DrawingLink(Link):
    """A link that draws from streams of the run's seed; with `secure` from the system's source."""

    @property
    def randomness(self) -> str:
        """What it draws from, in words for the record."""
        return "the system's source, not to be repeated" if self.params.secure else "the run's seed"

    def source(self, *key: int | str, device: torch.device | str = "cpu") -> torch.Generator | None:
        """The stream of this key on a device; None stands for the system's source."""
        return None if self.params.secure else self.stream(*key, device=device)
