"""From a scheme to clients: its proportions deal the training, validation and test groups alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medfl.errors import MedflError
from medfl.partition.deal import deal, fill, whole
from medfl.partition.folds import FOLDS
from medfl.partition.groups import Groups
from medfl.partition.label import dirichlet_shares, pathological_holders
from medfl.partition.quantity import dirichlet_sizes, power_law_shares
from medfl.partition.random import stream
from medfl.partition.scheme import Scheme
from medfl.partition.site import clients_of_sites, site_names

if TYPE_CHECKING:
    from medfl.store import Store


@dataclass(frozen=True)
class Dealt:
    """Groups dealt to clients.

    Attributes:
        owner: (G,) client of each group.
        num_clients: M.
        moved: samples moved after dealing, so that every client has its minimum.
        names: (M,) sites behind the clients, or empty.
    """

    owner: np.ndarray
    num_clients: int
    moved: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """Clients that share some of the groups: all, or those of one site.

    Attributes:
        members: (G,) bool, the groups they share.
        shares: (m, K) each client's share of each label; columns add up to 1.
        name: the site, or empty.
    """

    members: np.ndarray
    shares: np.ndarray
    name: str = ""


def assign_clients(
    store: Store,
    groups: Groups,
    fold: np.ndarray,
    scheme: Scheme,
    num_clients: int | None,
    seed: int,
    min_samples: int,
) -> Dealt:
    """Deal every group to a client.

    The noise and scanner schemes deal as ``iid``, which is stratified by label. After dealing,
    clients below ``min_samples`` in training are given groups; clients without a validation or
    test sample are given one of a class that they train on, where another client can spare it.

    Args:
        store: the prepared dataset.
        groups: its groups.
        fold: (G,) fold of each group.
        scheme: how to deal.
        num_clients: M, or None where sites decide.
        seed: the split's seed.
        min_samples: training samples that every client must have.

    Raises:
        MedflError: where the request cannot be met, with the reason.
    """
    strict = scheme.family == "pathological"
    # `k classes a client` needs one class a group: its key, where its samples have several.
    table = np.eye(len(groups.columns), dtype=np.int64)[groups.keys] * groups.sizes[:, None]
    table = table if strict else groups.counts
    owner = np.full(len(groups), -1, np.int64)
    first = moved = 0
    names: list[str] = []
    for block in _blocks(store, groups, fold, scheme, num_clients, seed):
        clients = len(block.shares)
        inside = block.members & (fold == 0)
        _check_possible(groups.sizes[inside], block, scheme, min_samples)
        allowed = block.shares > 0 if strict else np.ones(block.shares.shape, bool)
        for number, name in enumerate(FOLDS):
            inside = np.flatnonzero(block.members & (fold == number))
            desired = block.shares * table[inside].sum(0)
            rng = stream(seed, "clients", scheme.family, block.name, name)
            wished = desired if scheme.even else whole(desired, rng)
            dealt = deal(table[inside], wished, rng)
            minimum = min_samples if number == 0 else 1
            dealt, samples = fill(
                dealt,
                groups.sizes[inside],
                groups.keys[inside],
                desired,
                minimum,
                allowed,
                rng,
                keep_classes=strict and number == 0,
            )
            moved += samples
            owner[inside] = first + dealt
            if number == 0:
                held = np.bincount(dealt, groups.sizes[inside], clients)
                _check_reached(held, block, scheme, min_samples)
                allowed = np.zeros(block.shares.shape, bool)
                allowed[dealt, groups.keys[inside]] = True
        names += _client_names(block)
        first += clients
    return Dealt(owner, first, moved, tuple(names))


def _blocks(
    store: Store,
    groups: Groups,
    fold: np.ndarray,
    scheme: Scheme,
    num_clients: int | None,
    seed: int,
) -> list[Block]:
    if scheme.by_site:
        return _site_blocks(store, groups, fold, scheme, num_clients, seed)
    if num_clients is None:
        raise MedflError(f"partition `{scheme.word}` needs a number of clients (num_clients).")
    if num_clients < 1:
        raise MedflError(f"num_clients must be 1 or more, not {num_clients}.")
    everyone = np.ones(len(groups), bool)
    columns = groups.columns
    if scheme.family == "dirichlet":
        shares = dirichlet_shares(columns, num_clients, scheme.value, seed)
    elif scheme.family == "pathological":
        _check_enough_groups(int((fold == 0).sum()), num_clients, "")
        number = np.bincount(groups.keys[fold == 0], minlength=len(columns))
        holders = pathological_holders(number, columns, num_clients, int(scheme.value), seed)
        # A class without training groups is held by no one: its other groups go to anyone.
        holders[:, ~holders.any(0)] = True
        shares = holders / holders.sum(0)
    elif scheme.family == "quantity":
        shares = _same_mixture(power_law_shares(num_clients, scheme.value), columns)
    elif scheme.family == "dirichletquantity":
        shares = _same_mixture(dirichlet_sizes(num_clients, scheme.value, seed), columns)
    else:
        shares = _same_mixture(np.full(num_clients, 1 / num_clients), columns)
    return [Block(everyone, shares)]


def _site_blocks(
    store: Store,
    groups: Groups,
    fold: np.ndarray,
    scheme: Scheme,
    num_clients: int | None,
    seed: int,
) -> list[Block]:
    sites = site_names(store, groups)
    if scheme.family == "site":
        if num_clients not in (None, len(sites)):
            raise MedflError(
                f"partition `site` has one client a site, and {store.path} has {len(sites)} "
                f"({', '.join(sites)}), not {num_clients}: leave num_clients out."
            )
        if len(sites) == 1:
            raise MedflError(
                f"{store.path}: all samples are of one site, `{sites[0]}`: by `site` it would be "
                "a federation of one client; choose another, for example dirichlet-0.5."
            )
        clients = np.ones(len(sites), np.int64)
    else:
        training = np.array([(groups.sites[fold == 0] == site).sum() for site in sites])
        clients = clients_of_sites(training, num_clients)
    blocks = []
    for site, number in zip(sites.tolist(), clients.tolist(), strict=True):
        shares = np.ones((1, len(groups.columns)))
        if number > 1:
            shares = dirichlet_shares(groups.columns, number, scheme.value, seed, "site", site)
        blocks.append(Block(groups.sites == site, shares, site))
    return blocks


def _same_mixture(sizes: np.ndarray, columns: tuple[str, ...]) -> np.ndarray:
    return np.repeat(sizes[:, None], len(columns), axis=1)


def _client_names(block: Block) -> list[str]:
    if not block.name:
        return []
    if len(block.shares) == 1:
        return [block.name]
    return [f"{block.name}/{part}" for part in range(1, len(block.shares) + 1)]


def _check_enough_groups(number: int, clients: int, site: str) -> None:
    if number < clients:
        where = f"site `{site}` has" if site else "the training fold has"
        raise MedflError(
            f"{clients} clients are more than the {number} groups (patients) that {where} to "
            f"train on, and a group is never divided: use at most {number} clients."
            if number
            else f"{where} no groups (patients) to train on."
        )


def _check_possible(sizes: np.ndarray, block: Block, scheme: Scheme, min_samples: int) -> None:
    clients = len(block.shares)
    _check_enough_groups(len(sizes), clients, block.name)
    if sizes.sum() < clients * min_samples:
        where = f"site `{block.name}`" if block.name else "the training fold"
        raise MedflError(
            f"partition `{scheme.word}`: {clients} clients with at least {min_samples} training "
            f"samples each need {clients * min_samples}, but {where} has {sizes.sum()}: use fewer "
            "clients or a smaller min_samples."
        )


def _check_reached(held: np.ndarray, block: Block, scheme: Scheme, min_samples: int) -> None:
    for client in np.flatnonzero(held < min_samples):
        site = f" of site `{block.name}`" if block.name else ""
        raise MedflError(
            f"partition `{scheme.word}`: client {client}{site} gets {held[client]:.0f} training "
            f"samples, and no other can spare a group to reach min_samples {min_samples}: use "
            "fewer clients or a smaller min_samples."
        )
