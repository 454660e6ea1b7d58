"""Deals a store's groups to clients, in each fold by the same shares of the partition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medfl.errors import MedflError
from medfl.partition.asked import asked_blocks
from medfl.partition.base import Block, Partition, Request, check_enough_groups
from medfl.partition.deal import deal, fill, top_up, whole
from medfl.partition.folds import FOLDS
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
    for block in asked_blocks(partition, request):
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
