"""What selective encryption leaves open: the entries of each update that travel in the clear.

They are read from the bytes that the server gets, with what everybody knows: the configuration and
the choice that follows from it. No key is needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from medfl.chain import PARAMETERS, Message
from medfl.privacy.encryption.ciphertexts import unpack_ciphertexts
from medfl.privacy.encryption.link import HomomorphicEncryption
from medfl.privacy.encryption.selection import Selection
from medfl.privacy.encryption.settings import CkksSettings
from medfl.privacy.sealed.envelope import OVERHEAD
from medfl.privacy.sealed.identities import SIGNATURE_BYTES

if TYPE_CHECKING:
    from medfl.chain import Link
    from medfl.chain.roles import Server


@dataclass(frozen=True)
class OpenEntries:
    """The part of one client's update that the server reads.

    Attributes:
        update: (k,), the open entries times a number above 0 that the server does not know, because
            weights are encrypted; 0 where an entry is encrypted.
        known: (k,), which entries are open.
    """

    update: Tensor
    known: Tensor


class OpenReader:
    """Reads open entries from the messages of a run with selective encryption.

    Args:
        link: of the run.
        server: of the run.
    """

    def __init__(self, link: HomomorphicEncryption, server: Server) -> None:
        given = link.params
        clients = link.record()["clients_per_round"]
        self._settings = CkksSettings(clients, given.degree, given.modulus_bits, given.unit_bits)
        if given.layers is not None:
            self._selection = Selection.of_layers(given.layers, server)
        else:
            stream = link.stream("selection")
            self._selection = Selection.of_share(given.share, server, stream)

    def read(self, message: Message) -> OpenEntries | None:
        """The open entries of the parameters; None where all are encrypted."""
        assert message.sealed is not None
        said, places = message.sealed.content
        hidden = self._selection.of(places)
        payload = memoryview(said)[OVERHEAD - SIGNATURE_BYTES : -SIGNATURE_BYTES]
        clear = np.frombuffer(
            unpack_ciphertexts(payload, self._settings)[1], self._settings.open_type
        )
        numbers = np.zeros(len(hidden))
        numbers[~hidden] = clear
        start = 0
        for place in places:
            piece = slice(start, start + place.length)
            if place.name == PARAMETERS and not hidden[piece].all():
                return OpenEntries(
                    torch.from_numpy(numbers[piece]).to(place.like),
                    torch.from_numpy(~hidden[piece]).to(place.like.device),
                )
            start = piece.stop + 1  # behind each part stands its weight
        return None


def open_reader(server: Server, links: Iterable[Link]) -> OpenReader | None:
    """A reader of what comes through these ``links``; None where they leave no entry open."""
    for link in links:
        if isinstance(link, HomomorphicEncryption) and (link.params.layers or link.params.share):
            return OpenReader(link, server)
    return None
