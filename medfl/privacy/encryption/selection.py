"""Which entries of a message are encrypted, where not all of them are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from medfl.chain import STATISTICS
from medfl.errors import MedflError
from medfl.privacy.encryption.hospital import Hidden

if TYPE_CHECKING:
    import torch

    from medfl.chain.roles import Server
    from medfl.privacy.sealed.parts import PartPlace


@dataclass(frozen=True)
class Selection:
    """The choice of a run, which everybody knows, the server too.

    A part that has an entry for each shared parameter, such as SCAFFOLD's Δc, is divided as the
    parameters are: it would tell of those that are hidden. Whatever is neither that nor statistics
    is encrypted whole, and so are all weights.

    Attributes:
        parameters: (d,), which of the shared parameters are encrypted.
        statistics: (b,), which of the shared statistics.
    """

    parameters: Hidden
    statistics: Hidden

    @classmethod
    def of_layers(cls, patterns: Sequence[str], server: Server) -> Selection:
        """The layers whose parameters' and statistics' names match one of the patterns.

        Raises:
            MedflError: a pattern matches none of those that leave the clients.
        """
        model = server.model
        local = server.algorithm.local_names(model)
        tensors = (*model.module.named_parameters(), *model.module.named_buffers())
        names = [name for name, tensor in tensors if tensor.is_floating_point()]
        names = [name for name in names if name not in local]
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise MedflError(
                    f"ckks: no layer that leaves its client matches {pattern!r} of `layers`. "
                    f"There are {', '.join(names)}."
                )
        chosen = {name for name in names if any(fnmatchcase(name, one) for one in patterns)}
        hidden, kept = model.mask(chosen), model.mask(local)
        first, second = (one[~other].cpu().numpy() for one, other in zip(hidden, kept, strict=True))
        return cls(first, second)

    @classmethod
    def of_share(cls, share: float, server: Server, stream: torch.Generator) -> Selection:
        """A share of the parameters, drawn once for the run; all statistics."""
        import torch

        size = server.vector.numel()
        hidden = np.zeros(size, bool)
        hidden[torch.randperm(size, generator=stream)[: round(share * size)].numpy()] = True
        return cls(hidden, np.ones(server.buffers.numel(), bool))

    def of(self, places: Iterable[PartPlace]) -> Hidden:
        """Which entries of the vector of these parts are encrypted."""
        pieces = []
        for place in places:
            hidden = self.statistics if place.name == STATISTICS else self.parameters
            if place.length != len(hidden):
                hidden = np.ones(place.length, bool)
            pieces += [hidden, np.ones(1, bool)]
        return np.concatenate(pieces)

    def record(self) -> dict[str, float]:
        """Of parameters and statistics, the share that the server sees of every hospital."""
        shares = {"parameters": self.parameters, "statistics": self.statistics}
        return {name: 1.0 - float(one.mean()) for name, one in shares.items() if len(one)}
