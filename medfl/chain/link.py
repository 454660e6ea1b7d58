"""A link: what protects, attacks, compresses or watches between a client and the sum.

A link acts at one or more of five places, by overriding the method of that place:

1. a client's batches: ``batches`` (which samples are drawn), ``samples`` (what is in them);
2. a step's gradient: ``gradient``;
3. a client's message: ``message``;
4. all messages of a round together, before they are combined: ``together``;
5. the opening and the close of a round: ``open``, ``close``. Between the two a client may drop
   out: ``message`` then gives None for it.

Clients of a round may train side by side: a link keeps nothing of a client on itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from medfl.chain.message import Message, Total
from medfl.registry import HyperParams
from medfl.results.columns import Column

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from medfl.algorithms.base import FederatedAlgorithm
    from medfl.config import FederatedConfig
    from medfl.federated.client import FederatedClient
    from medfl.federated.server import FederatedServer
    from medfl.federated.vector import FlatModel

# What a link is for decides when its turn comes, not the order in which a person wrote the links.
STAGES = ("data", "gradient", "clip", "noise", "attack", "compress", "mask", "round")
Backward = Callable[["Tensor", "Tensor"], "Tensor"]
"""Images and labels of a batch to its loss; the gradient then lies in the model."""


class Link:
    """Base of all links; by itself it changes nothing.

    Class attributes:
        Params: its parameters, a frozen pydantic model.
        stage: one of ``STAGES``: when its turn comes.
        columns: what it adds to ``rounds.csv``.

    Attributes:
        name: its name in the configuration.
        seed: of the run.
        state: tensors that it keeps from round to round; they are in the checkpoint.
    """

    class Params(HyperParams):
        """No parameters."""

    stage: ClassVar[str]
    columns: ClassVar[tuple[Column, ...]] = ()

    def __init__(self, **params: Any) -> None:
        self.params: Any = self.Params(**params)
        self.name = ""
        self.seed = 0
        self.state: dict[str, Tensor] = {}

    @property
    def idle(self) -> bool:
        """Whether its strength is zero: it then stays out of the chain."""
        return False

    def check(
        self,
        config: FederatedConfig,
        algorithm: type[FederatedAlgorithm],
        links: Sequence[Link],
    ) -> None:
        """Refuse what it does not compose with (``MedflError``, with the reason)."""

    def setup(self, server: FederatedServer) -> None:
        """Create its state, in ``self.state``, before the first round."""

    def stream(self, *key: int | str) -> torch.Generator:
        """A random stream of its own for this key, such as (round, client)."""
        from medfl.streams import stream

        return stream(self.seed, "link", self.name, *key)

    def open(self, number: int, clients: list[int]) -> list[int]:
        """At the opening of round ``number``: the ids of those of ``clients`` who take part."""
        return clients

    def batches(
        self, client: FederatedClient, rows: Iterator[Tensor], purpose: str
    ) -> Iterator[Tensor]:
        """Store rows of each local step, in place of ``rows``; ``purpose`` names the descent."""
        return rows

    def samples(
        self, client: FederatedClient, images: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """A batch's images (B, C, …) as the store holds them, and labels, before augmentation."""
        return images, labels

    def gradient(
        self,
        client: FederatedClient,
        model: FlatModel,
        images: Tensor,
        labels: Tensor,
        backward: Backward,
    ) -> Tensor:
        """Compute a step's gradient into ``model`` and give the loss.

        ``backward`` does so for the whole batch, or for a part of it. The algorithm's correction
        is added afterwards.
        """
        return backward(images, labels)

    def message(self, client: FederatedClient, message: Message) -> Message | None:
        """What the client sends in place of ``message``; None where it drops out.

        Vectors of ``message`` must not be changed in place.
        """
        return message

    def together(self, number: int, messages: list[Message]) -> list[Message]:
        """All messages of round ``number``, in the order of the clients' ids."""
        return messages

    def close(
        self, number: int, total: dict[str, Total], answered: Sequence[int]
    ) -> dict[str, Total]:
        """At the close of round ``number``: what the server gets for ``total``.

        ``total`` is empty where nobody answered.
        """
        return total

    def row(self, notes: Sequence[dict[str, float]]) -> dict[str, float | None]:
        """Its columns in the round's row, from the notes of the messages that were combined.

        By default the mean of the notes of each column's name.
        """
        names = [column.name for column in self.columns]
        found = {name: [n[name] for n in notes if name in n] for name in names}
        return {name: sum(v) / len(v) if v else None for name, v in found.items()}
