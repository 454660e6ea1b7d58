"""Deals a store's groups to clients, in each fold by the same shares of the partition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medfl.errors import MedflError, own_code
from medfl.partition.base import Block, Partition, Request, check_enough_groups
from medfl.partition.deal import deal, fill, top_up, whole
from medfl.partition.folds import FOLDS, TEST
from medfl.partition.groups import Groups
from medfl.partition.random import stream

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
        sites: (G,) the site whose client, or one of whose clients, holds each group; empty where
            clients have no names.
    """

    owner: np.ndarray
    num_clients: int
    moved: int
    names: tuple[str, ...]
    sites: np.ndarray


def assign_clients(
    store: Store,
    groups: Groups,
    fold: np.ndarray,
    partition: Partition,
    num_clients: int | None,
    seed: int,
    min_samples: int,
    min_val: int = 1,
    min_test: int = 1,
) -> Dealt:
    """Deal every group to a client.

    After dealing, clients below ``min_samples`` in training are given groups; clients below
    ``min_val`` or ``min_test`` are given groups of classes that they train on, within the fold,
    where another client can spare them.

    Args:
        store: the prepared dataset.
        groups: its groups.
        fold: (G,) fold of each group.
        partition: how to deal.
        num_clients: M, or None where sites decide.
        seed: the split's seed.
        min_samples: training samples that every client must have.
        min_val: validation samples that every client gets where others can spare them.
        min_test: the same of test samples.

    Raises:
        MedflError: where the request cannot be met, with the reason.
    """
    request = Request(partition.word, store, groups, fold, num_clients, seed)
    strict = partition.strict
    # Where a client holds k classes, a group can count for one class only: for its key.
    table = np.eye(len(groups.columns), dtype=np.int64)[groups.keys] * groups.sizes[:, None]
    table = table if strict else groups.counts
    owner = np.full(len(groups), -1, np.int64)
    first = moved = 0
    names: list[str] = []
    sites = np.full(len(groups), "", dtype=object)
    for block in _blocks(partition, request):
        clients = len(block.shares)
        sites[block.members] = block.name
        if block.unseen:
            owner[block.members] = first
            names += _client_names(block)
            first += clients
            continue
        inside = block.members & (fold == 0)
        _check_possible(groups.sizes[inside], block, partition, min_samples)
        allowed = block.shares > 0 if strict else np.ones(block.shares.shape, bool)
        for number, name in enumerate(FOLDS):
            inside = np.flatnonzero(block.members & (fold == number))
            desired = block.shares * table[inside].sum(0)
            rng = stream(seed, "clients", partition.name, block.name, name)
            wished = desired if partition.even else whole(desired, rng)
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
            if number:
                sizes, keys = groups.sizes[inside], groups.keys[inside]
                enough = min_val if number == 1 else min_test
                dealt, more = top_up(dealt, sizes, keys, desired, enough, allowed, rng)
                samples += more
            moved += samples
            owner[inside] = first + dealt
            if number == 0:
                held = np.bincount(dealt, groups.sizes[inside], clients)
                _check_reached(held, block, partition, min_samples)
                allowed = np.zeros(block.shares.shape, bool)
                allowed[dealt, groups.keys[inside]] = True
        names += _client_names(block)
        first += clients
    return Dealt(owner, first, moved, tuple(names), sites.astype(str))


def _blocks(partition: Partition, request: Request) -> list[Block]:
    """The partition's blocks, checked: a person's own class may have made them."""
    where = f"partition `{partition.word}`"
    with own_code(where):
        blocks = list(partition.blocks(request))
        shares = [np.asarray(block.shares, float) for block in blocks]
        members = np.array([block.members for block in blocks])
    labels = len(request.groups.columns)
    for part in shares:
        if part.ndim != 2 or part.shape[1] != labels or not len(part):
            raise MedflError(
                f"{where} gives shares of shape {part.shape}; needed are a row for each client and "
                f"{labels} columns, one for each of {', '.join(request.groups.columns)}."
            )
        if not np.isfinite(part).all() or part.min() < 0 or not np.allclose(part.sum(0), 1):
            raise MedflError(f"{where}: every column of its shares must be 0 or more and sum to 1.")
    if members.shape != (len(blocks), len(request.groups)) or not (members.sum(0) == 1).all():
        raise MedflError(f"{where}: every group (patient) must be a member of one of its blocks.")
    for block in blocks:
        if block.unseen and (len(block.shares) > 1 or (request.fold[block.members] != TEST).any()):
            raise MedflError(
                f"{where} has a block of clients who take no part in training (unseen), but not "
                "all of its groups (patients) are of one client and in the test fold."
            )
    made, wanted = sum(map(len, shares)), request.num_clients
    if not partition.natural and wanted is not None and made != wanted:
        raise MedflError(
            f"{where} gives shares of {made} clients, but num_clients is {wanted}: give a row for "
            "each of request.clients, or set natural = True if the partition decides the number."
        )
    return blocks


def _client_names(block: Block) -> list[str]:
    if not block.name:
        return []
    if len(block.shares) == 1:
        return [block.name]
    return [f"{block.name}/{part}" for part in range(1, len(block.shares) + 1)]


def _check_possible(
    sizes: np.ndarray, block: Block, partition: Partition, min_samples: int
) -> None:
    clients = len(block.shares)
    check_enough_groups(len(sizes), clients, block.name)
    if sizes.sum() < clients * min_samples:
        where = f"site `{block.name}`" if block.name else "the training fold"
        raise MedflError(
            f"partition `{partition.word}`: {clients} clients with at least {min_samples} training "
            f"samples each need {clients * min_samples}, but {where} has {sizes.sum()}: use fewer "
            "clients or a smaller min_samples."
        )


def _check_reached(held: np.ndarray, block: Block, partition: Partition, min_samples: int) -> None:
    for client in np.flatnonzero(held < min_samples):
        site = f" of site `{block.name}`" if block.name else ""
        raise MedflError(
            f"partition `{partition.word}`: client {client}{site} gets {held[client]:.0f} training "
            f"samples, and no other can spare a group to reach min_samples {min_samples}: use "
            "fewer clients or a smaller min_samples."
        )
