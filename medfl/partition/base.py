"""What a partition is: how much of each label every client gets, and what it sees of an image."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from medfl.errors import MedflError
from medfl.partition.groups import Groups

if TYPE_CHECKING:
    from medfl.store import Store

Transform = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Value:
    """The number behind a partition's name, as 0.5 in ``dirichlet-0.5``.

    Attributes:
        name: what it is, for errors.
        example: one that makes sense.
        low: the least allowed.
        high: the largest allowed.
        whole: whether it must be a whole number.
        positive: whether it must be more than 0.
    """

    name: str
    example: str
    low: float = 0.0
    high: float = math.inf
    whole: bool = False
    positive: bool = False


@dataclass(frozen=True)
class SiteName:
    """The site behind a partition's name, as in ``leave-out-rosendahl``; see ``site_words``."""

    name: str = "a site"
    example: str = "rosendahl"


# Below 1e-6 a Dirichlet draw gives each class to one client, above 1e6 it gives every client the
# same share. Near the smallest floating-point numbers numpy's draws favour some clients.
ALPHA = Value("alpha", "0.5", low=1e-6, high=1e6, positive=True)


@dataclass(frozen=True)
class Request:
    """What is to be dealt, and to how many clients.

    Attributes:
        word: the partition's word, for errors.
        store: the prepared dataset.
        groups: its groups (patients), which are dealt whole; their ``columns`` are the labels.
        fold: (G,) fold of each group: 0 train, 1 val, 2 test.
        num_clients: M, or None where nobody asked for a number.
        seed: the split's seed.
    """

    word: str
    store: Store
    groups: Groups
    fold: np.ndarray
    num_clients: int | None
    seed: int

    @property
    def clients(self) -> int:
        """M.

        Raises:
            MedflError: where nobody asked for a number, or for less than one.
        """
        if self.num_clients is None:
            raise MedflError(f"partition `{self.word}` needs a number of clients (num_clients).")
        if self.num_clients < 1:
            raise MedflError(f"num_clients must be 1 or more, not {self.num_clients}.")
        return self.num_clients


@dataclass(frozen=True)
class Block:
    """Clients that share some of the groups: all, or those of one site.

    Attributes:
        members: (G,) bool, the groups they share.
        shares: (m, K) each client's share of each label; columns add up to 1.
        name: the site, or empty.
        unseen: whether they take no part in training: one client, all of whose groups are tests.
    """

    members: np.ndarray
    shares: np.ndarray
    name: str = ""
    unseen: bool = False


class Partition:
    """One way to divide a dataset between clients; subclasses say how they differ from ``iid``.

    The folds are made first, by the seed alone. Then whole groups (patients) are dealt, so that
    each client comes as near as possible to its shares and holds the least number of samples.

    Class attributes:
        value: the number, or the site, behind the name; None where there is none.
        title: what tables call it; ``{}`` stands for the value.
        natural: whether the data, or a person's own code, decide the number of clients.
        by_site: whether sites are the clients, or parts of one, so that a dataset needs some.
        even: whether the clients that hold a label hold equal shares of it, as nearly as groups
            allow; otherwise the parts are rounded by a draw.
        strict: whether a client may hold only labels of which it has a share.

    Attributes:
        word: the whole word, such as ``dirichlet-0.5``; it names folders.
        name: the word without its value; it names random streams.
        number: the value; 0 where there is none, or where it is a site.
    """

    value: ClassVar[Value | SiteName | None] = None
    title: ClassVar[str] = ""
    natural: ClassVar[bool] = False
    by_site: ClassVar[bool] = False
    even: ClassVar[bool] = False
    strict: ClassVar[bool] = False

    def __init__(self, word: str, name: str, number: float = 0.0) -> None:
        self.word = word
        self.name = name
        self.number = number

    def folds(self, request: Request) -> np.ndarray:
        """(G,) the fold of each group; by default as the seed alone has made them."""
        return request.fold

    def shares(self, request: Request) -> np.ndarray:
        """(M, K) each client's share of each label; each column adds up to 1. Equal by default."""
        return same_mixture(np.full(request.clients, 1 / request.clients), request.groups)

    def blocks(self, request: Request) -> list[Block]:
        """Which clients share which groups: by default all share all, by their ``shares``."""
        return [Block(np.ones(len(request.groups), bool), self.shares(request))]

    def transform(self, client: int, num_clients: int, seed: int) -> Transform | None:
        """What a client's scanner does to its images; None where it leaves them as they are."""
        return None


def same_mixture(sizes: np.ndarray, groups: Groups) -> np.ndarray:
    """(M, K) shares of clients of these sizes, (M,), with the same mixture of labels."""
    return np.repeat(sizes[:, None], len(groups.columns), axis=1)


def check_enough_groups(number: int, clients: int, site: str = "") -> None:
    """Refuse more clients than there are groups to train on: a group is never divided."""
    if number < clients:
        where = f"site `{site}` has" if site else "the training fold has"
        raise MedflError(
            f"{clients} clients are more than the {number} groups (patients) that {where} to "
            f"train on, and a group is never divided: use at most {number} clients."
            if number
            else f"{where} no groups (patients) to train on."
        )
