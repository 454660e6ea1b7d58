"""A person's own link, each of whose hooks is held to what it must give.

Whatever the chain asks of a link it asks here, so that no hook is forgotten: what a class of one's
own gives, and what it does to what it was given, is one sentence that names class and hook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from medfl.chain.combine import Combination
from medfl.chain.link import STAGES, Backward, Judged, Link
from medfl.chain.message import Message, Total
from medfl.chain.own_message import (
    Shapes,
    check_message,
    check_messages,
    kept_model,
    kept_vectors,
    shapes_of,
)
from medfl.chain.own_rule import Totalled, check_kept, check_total
from medfl.chain.own_said import check_privacy, check_traffic, chosen_clients
from medfl.chain.own_step import check_loss, check_samples, own_batches, same_samples
from medfl.errors import MedflError
from medfl.own_class import asking, check_row, check_said, check_type, is_builtin
from medfl.results.column import Column

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from medfl.chain.roles import Client, Server
    from medfl.config import FederatedConfig
    from medfl.models.flat import FlatModel


class OwnLink:
    """Asks a person's own link, and refuses what it must not give (``MedflError``).

    Attributes:
        name: its name in the configuration.
    """

    def __init__(self, link: Link) -> None:
        self._link, self.name = link, link.name

    @contextmanager
    def _asked(self, hook: str) -> Iterator[str]:
        where = f"`{hook}` of the link `{self.name}`"
        with asking(where):
            yield where

    def check(self, config: FederatedConfig, algorithm: Any, links: Sequence[Link]) -> None:
        """Let it refuse the configuration; what it does to its copy is nobody's."""
        with self._asked("check"):
            self._link.check(config.model_copy(deep=True), algorithm, list(links))

    def setup(self, server: Server) -> None:
        """Let it create its state; the server's model is not its to set."""
        instead = "change what clients send, in `message`, or what it adds up to, in `close`"
        with self._asked("setup") as where, kept_model(server, where, instead):
            self._link.setup(server)
        check_type(self._link.state, dict, f"{where}, as `state`,", "a dictionary of tensors")
        hides = self._link.hides_steps
        check_type(hides, bool, f"{where}, as `hides_steps`,", "True or False")

    def open(self, number: int, clients: list[int]) -> list[int]:
        """Which clients take part."""
        with self._asked("open") as where:
            chosen = self._link.open(number, list(clients))
        return chosen_clients(chosen, clients, where)

    def batches(
        self, client: Client, rows: Iterator[Tensor], purpose: str, planned: int | None
    ) -> Iterator[Tensor]:
        """The batches of a descent, each when its turn comes."""
        with self._asked("batches") as where, same_samples(client, where):
            given = self._link.batches(client, rows, purpose)
        return own_batches(given, client, planned, where)

    def samples(self, client: Client, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """A batch's images and labels."""
        shape, classes = images.shape, len(client.server.data.info.classes)
        with self._asked("samples") as where, same_samples(client, where):
            given = self._link.samples(client, images, labels)
        check_samples(given, shape, labels, classes, where)
        changed, said = given
        return changed, said

    def gradient(
        self, client: Client, model: FlatModel, images: Tensor, labels: Tensor, backward: Backward
    ) -> Tensor:
        """A step's loss, with its gradient in the model."""
        with self._asked("gradient") as where, same_samples(client, where):
            loss = self._link.gradient(client, model, images, labels, backward)
        check_loss(loss, model, len(images), where)
        return loss

    def message(self, client: Client, message: Message) -> Message | None:
        """What a client sends."""
        sender, given = message.client, shapes_of(message)
        with (
            self._asked("message") as where,
            same_samples(client, where),
            kept_vectors(message.parts, where),
        ):
            changed = self._link.message(client, message)
        if changed is not None:
            needed = "a Message, or None where the client drops out"
            check_type(changed, Message, where, needed)
            check_message(changed, sender, given, where)
        return changed

    def together(self, number: int, messages: list[Message]) -> list[Message]:
        """A round's messages."""
        given = {message.client: shapes_of(message) for message in messages}
        first = messages[0].parts if messages else {}  # they all have the same bases
        with self._asked("together") as where, kept_vectors(first, where, values=False):
            everyone = self._link.together(number, messages)
        check_type(everyone, list, where, "a list of messages")
        for message in everyone:
            check_type(message, Message, where, "a list of messages")
        check_messages(everyone, given, where)
        return everyone

    def combination(self, number: int, inner: Combination, sent: Shapes) -> Combination:
        """What takes in a round's messages; ``sent`` has, once it is full, their parts' shapes."""
        with self._asked("combination") as where:
            found = self._link.combination(number, inner)
        check_type(found, Combination, where, "a medfl.chain.Combination")
        return Totalled(found, where, sent)

    def close(
        self, number: int, total: dict[str, Total], answered: Sequence[int]
    ) -> dict[str, Total]:
        """What the server gets."""
        before = {name: one.mean.shape for name, one in total.items()}
        with self._asked("close") as where, kept_vectors(dict(total), where):
            found = self._link.close(number, dict(total), list(answered))
        check_total(found, where)
        if found:
            check_kept(found, before, where)
        return found

    def traffic(self, number: int, up: int, down: int) -> tuple[int, int]:
        """A round's bytes."""
        with self._asked("traffic") as where:
            found = self._link.traffic(number, up, down)
        return check_traffic(found, where)

    def end(self) -> None:
        """Let it end what it has started."""
        with self._asked("end"):
            self._link.end()

    def judge(self, labels: np.ndarray, say: Judged) -> dict[str, float | None]:
        """Columns that it fills after an evaluation."""
        with self._asked("judge") as where:
            found = self._link.judge(labels, lambda change: say(_pixels(change, where)))
        check_row(found, self._link.columns, where, "columns")
        return found

    def client_row(self, client: int) -> dict[str, float | None]:
        """Its columns of a client."""
        with self._asked("client_row") as where:
            found = self._link.client_row(client)
        check_row(found, self._link.client_columns, where, "client_columns")
        return found

    def row(self, notes: Sequence[dict[str, float]]) -> dict[str, float | None]:
        """Its columns of a round."""
        with self._asked("row") as where:
            found = self._link.row(notes)
        check_row(found, self._link.columns, where, "columns", whole=True)
        return found

    def record(self) -> dict[str, Any]:
        """What it says of itself."""
        with self._asked("record") as where:
            found = self._link.record()
        check_said(found, where)
        return found

    def privacy(self) -> dict[str, Any]:
        """What it promises."""
        with self._asked("privacy") as where:
            found = self._link.privacy()
        check_privacy(found, where)
        return found


def asked(link: Link) -> Any:
    """The link itself, or where its class is a person's own what holds its hooks to their words."""
    return link if is_builtin(type(link)) else OwnLink(link)


def check_own_attributes(link: Link) -> None:
    """Refuse attributes of another type, which a property may have (``MedflError``)."""
    if is_builtin(type(link)):
        return
    where = f"of the link `{link.name}`"
    if link.stage not in STAGES:
        raise MedflError(f"`stage` {where} is {link.stage!r}: it must be one of {STAGES}.")
    for name in ("idle", "public_pixels", "sums_alone", "hides_steps"):
        check_type(getattr(link, name), bool, f"`{name}` {where}", "True or False")
    for name in ("columns", "client_columns"):
        check_type(found := getattr(link, name), tuple, f"`{name}` {where}", "a tuple of Columns")
        for one in found:
            check_type(one, Column, f"`{name}` {where}", "a tuple of Columns")


def _pixels(change: Any, where: str) -> Callable[[Tensor], Tensor]:
    """The function by which a link changes test images, which stay as many and as large."""
    if not callable(change):
        check_type(change, (), f"{where}: `say`", "called with a function of images")

    def changed(images: Tensor) -> Tensor:
        import torch

        shape = images.shape
        found: Any = change(images)
        needed = f"a tensor of changed images, of shape {tuple(shape)}"
        check_type(found, torch.Tensor, f"{where}: the function of `say`", needed)
        one: Tensor = found
        if one.shape != shape or one.is_complex():
            raise MedflError(
                f"{where}: the function of `say` gave {one.dtype} of shape {tuple(one.shape)}, but "
                f"needed is {needed}."
            )
        return one

    return changed
