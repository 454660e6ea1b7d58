"""A link protects, attacks, compresses or watches what a client sends before it is combined.

A link acts at one or more of five places, by overriding the method of that place:

1. a client's batches: ``batches`` (which samples are drawn), ``samples`` (what is in them);
2. a step's gradient: ``gradient``;
3. a client's message: ``message``;
4. all messages of a round together, before they are combined: ``together``;
5. the opening and the close of a round: ``open``, ``close``. Between the two a client may drop
   out: ``message`` then gives None for it. A link that seals messages sums them itself, in its
   ``combination``.

The clients of a round may train side by side, so a link keeps nothing of one client on itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from medfl.chain.message import Message, Total
from medfl.registry import HyperParams
from medfl.results.columns import Column

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

    from medfl.chain.combine import Combination
    from medfl.chain.roles import Algorithm, Client, Server
    from medfl.config import FederatedConfig
    from medfl.models.flat import FlatModel

# When a link's turn comes follows from what it is for, not from where a person wrote it.
Stage = Literal["data", "gradient", "clip", "noise", "attack", "compress", "mask", "round"]
STAGES = get_args(Stage)
Judged = Callable[[Callable[["Tensor"], "Tensor"]], "np.ndarray"]
"""Gives what a model answers to images that a function has changed."""
Backward = Callable[["Tensor", "Tensor"], "Tensor"]
"""Takes a batch's images and labels, puts the gradient into the model and gives the loss."""


class Link:
    """Base of all links; by itself it changes nothing.

    Class attributes:
        Params: its parameters, a frozen pydantic model.
        stage: one of ``STAGES``, which says when its turn comes.
        columns: the columns that it adds to ``rounds.csv``.
        client_columns: the columns that it adds to ``clients.csv``.
        public_pixels: whether pixels must be normalised by public constants under it, because the
            training images' own mean and deviation would tell of them.
        hides_steps: whether the server does not see how many steps a client takes, because whole
            batches tell how many samples it has; a link may decide that in ``setup``.
        sums_alone: whether what it promises holds for the sum of a round's messages alone.
        by_client: its attributes that hold what belongs to single clients, by their ids, so that
            clients that train side by side may write there.

    Attributes:
        name: its name in the configuration.
        seed: the run's seed.
        state: tensors that it keeps from round to round; they are in the checkpoint.
    """

    class Params(HyperParams):
        """No parameters."""

    stage: ClassVar[Stage]
    columns: ClassVar[tuple[Column, ...]] = ()
    client_columns: ClassVar[tuple[Column, ...]] = ()
    public_pixels: ClassVar[bool] = False
    hides_steps: bool = False
    sums_alone: ClassVar[bool] = False
    by_client: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **params: Any) -> None:
        self.params: Any = self.Params(**params)
        self.name = ""
        self.seed = 0
        self.state: dict[str, Any] = {}

    @property
    def idle(self) -> bool:
        """Whether its strength is zero: it then stays out of the chain."""
        return False

    @property
    def effect(self) -> str | None:
        """What it does to the objective, in words; empty for nothing, None where not known."""
        return None

    def check(
        self,
        config: FederatedConfig,
        algorithm: type[Algorithm],
        links: Sequence[Link],
    ) -> None:
        """Refuse what it does not compose with: a ``MedflError`` that says why."""

    def setup(self, server: Server) -> None:
        """Create its state, in ``self.state``, before the first round."""

    def stream(self, *key: int | str, device: torch.device | str = "cpu") -> torch.Generator:
        """A random stream of its own for this key, such as (round, client)."""
        from medfl.streams import torch_stream

        return torch_stream(self.seed, "link", self.name, *key, device=device)

    def open(self, number: int, clients: list[int]) -> list[int]:
        """Open round ``number``: give the ids of those of ``clients`` who take part."""
        return clients

    def batches(self, client: Client, rows: Iterator[Tensor], purpose: str) -> Iterator[Tensor]:
        """Give the store rows of each local step in place of ``rows``.

        ``purpose`` names the descent, such as ``train``.
        """
        return rows

    def samples(self, client: Client, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Give other images and labels in place of a batch's own, before augmentation.

        ``images`` (B, C, …) hold pixel values as the store does.
        """
        return images, labels

    def gradient(
        self,
        client: Client,
        model: FlatModel,
        images: Tensor,
        labels: Tensor,
        backward: Backward,
    ) -> Tensor:
        """Compute a step's gradient into ``model`` and give the loss.

        ``backward`` does so for the images that it is called with: the whole batch, or a part of
        it. The algorithm's correction is added afterwards.
        """
        return backward(images, labels)

    def message(self, client: Client, message: Message) -> Message | None:
        """Give what the client sends in place of ``message``, or None where it drops out.

        The vectors of ``message`` must not be changed in place.
        """
        return message

    def together(self, number: int, messages: list[Message]) -> list[Message]:
        """Give messages in place of those of round ``number``, which are ordered by client id."""
        return messages

    def combination(self, number: int, inner: Combination) -> Combination:
        """Give what takes in the messages of round ``number``; ``inner`` is what would do so.

        A link that seals messages reads ``message.sealed`` there. Where its total is empty, the
        round is given up: the server takes no step, and its clients stay as they were before it.
        """
        return inner

    def close(
        self, number: int, total: dict[str, Total], answered: Sequence[int]
    ) -> dict[str, Total]:
        """Close round ``number``: give what the server gets in place of ``total``.

        ``answered`` are the ids of the clients whose messages were combined; where nobody
        answered, ``total`` is empty.
        """
        return total

    def traffic(self, number: int, up: int, down: int) -> tuple[int, int]:
        """The bytes of round ``number`` that go up and down, once its total is there.

        ``up`` and ``down`` count the messages and what the server sent; a link adds what it
        exchanged besides, such as keys.
        """
        return up, down

    def end(self) -> None:
        """Training ends, or is stopped: end what was started beside it, such as processes."""

    def judge(self, labels: np.ndarray, say: Judged) -> dict[str, float | None]:
        """Fill some of its ``columns`` after an evaluation, from what the server's model answers.

        Args:
            labels: (T,), or (T, K) for several labels, of all test samples.
            say: gives the probabilities (T, K) of the same samples, once a function has changed
                their pixel values (B, C, …) as the store has them.
        """
        return {}

    def client_row(self, client: int) -> dict[str, float | None]:
        """Fill its ``client_columns`` in the row of one client of ``clients.csv``."""
        return {}

    def record(self) -> dict[str, Any]:
        """What the record of the run says of it under ``chain``, such as settings it derived."""
        return {}

    def privacy(self) -> dict[str, Any]:
        """The record's ``privacy``: what it promises, to whom; empty where it promises nothing."""
        return {}

    def row(self, notes: Sequence[dict[str, float]]) -> dict[str, float | None]:
        """Fill its columns in the round's row, from the notes of the messages that were combined.

        By default each column is the mean of the notes of its name.
        """
        names = [column.name for column in self.columns]
        found = {name: [n[name] for n in notes if name in n] for name in names}
        return {name: sum(v) / len(v) if v else None for name, v in found.items()}
