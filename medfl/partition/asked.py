"""What a partition's class says of a request, checked: a person's own may say anything.

What such a class draws from the generators of the whole process is the same for the same seed, it
can change nothing of what it is given, and the current folder stays what it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import numpy as np

from medfl.errors import MedflError, own_code
from medfl.own_draws import drawing
from medfl.partition.base import Block, Partition, Request, Transform
from medfl.partition.folds import FOLDS, TEST
from medfl.partition.random import stream
from medfl.partition.registry import PARTITIONS
from medfl.partition.scheme import parse_partition


def asked_folds(partition: Partition, request: Request) -> np.ndarray:
    """(G,) the fold of each group, as the partition says it."""
    if partition.name in PARTITIONS:
        return partition.folds(request)
    where = f"partition `{partition.word}`: its folds"
    with _asked(partition, request):
        found = np.asarray(partition.folds(request))
    if found.shape != request.fold.shape or found.dtype.kind not in "iu":
        raise MedflError(
            f"{where} are {found.dtype} of shape {found.shape}; needed is a whole number for each "
            f"of the {len(request.fold)} groups (patients)."
        )
    if len(found) and not (found.min() >= 0 and found.max() < len(FOLDS)):
        raise MedflError(f"{where} must be 0 (train), 1 (val) or 2 (test).")
    return found.astype(request.fold.dtype)


def asked_blocks(partition: Partition, request: Request) -> list[Block]:
    """The partition's blocks, of arrays of the right kind."""
    where = f"partition `{partition.word}`"
    with _asked(partition, request):
        natural = bool(partition.natural)
        blocks = list(partition.blocks(request))
        shares = [_shares(where, block.shares) for block in blocks]
        members = np.array([block.members for block in blocks])
        names = [block.name for block in blocks]
    labels = len(request.groups.columns)
    for part in shares:
        if part.ndim != 2 or part.shape[1] != labels or not len(part):
            raise MedflError(
                f"{where} gives shares of shape {part.shape}; needed are a row for each client and "
                f"{labels} columns, one for each of {', '.join(request.groups.columns)}."
            )
        if not np.isfinite(part).all() or part.min() < 0 or not np.allclose(part.sum(0), 1):
            raise MedflError(f"{where}: every column of its shares must be 0 or more and sum to 1.")
    one_each = members.shape == (len(blocks), len(request.groups)) and members.dtype.kind in "biu"
    if not one_each or not (members.sum(0) == 1).all() or members.min() < 0:
        raise MedflError(f"{where}: every group (patient) must be a member of one of its blocks.")
    if not all(isinstance(name, str) and (name.isprintable() or not name) for name in names):
        raise MedflError(f"{where}: the name of a block must be a text on one line.")
    blocks = [
        replace(block, shares=part, members=inside.astype(bool), unseen=bool(block.unseen))
        for block, part, inside in zip(blocks, shares, members, strict=True)
    ]
    for block in blocks:
        if block.unseen and (len(block.shares) > 1 or (request.fold[block.members] != TEST).any()):
            raise MedflError(
                f"{where} has a block of clients who take no part in training (unseen), but not "
                "all of its groups (patients) are of one client and in the test fold."
            )
    made, wanted = sum(map(len, shares)), request.num_clients
    if not natural and wanted is not None and made != wanted:
        raise MedflError(
            f"{where} gives shares of {made} clients, but num_clients is {wanted}: give a row for "
            "each of request.clients, or set natural = True if the partition decides the number."
        )
    return blocks


def client_transform(partition: str, client: int, num_clients: int, seed: int) -> Transform | None:
    """What a client's scanner does to its images.

    Args:
        partition: the partition's word.
        client: 0 to ``num_clients`` - 1.
        num_clients: M.
        seed: the split's seed.

    Returns:
        A function from (n, C, H, W) or (n, C, D, H, W), uint8 or int16, to new images of the same
        shape and type; None for partitions that leave images as they are. The pixel range is 0 to
        255, or that of each image where there are 16 bits. An own class's images are checked.

    Raises:
        MedflError: for an unknown partition or a client that does not exist.
    """
    chosen = parse_partition(partition)
    if not 0 <= client < num_clients:
        raise MedflError(f"client {client} is not one of 0 to {num_clients - 1}.")
    if chosen.name in PARTITIONS:
        return chosen.transform(client, num_clients, seed)
    where = f"partition `{chosen.word}`"
    with own_code(where), _seeded(seed, "transform", client):
        found = chosen.transform(client, num_clients, seed)
    if found is None:
        return None
    if not callable(found):
        raise MedflError(
            f"{where}: transform gave {type(found).__name__}, but needed is a function from images "
            "to images, or None."
        )

    def transform(images: np.ndarray) -> np.ndarray:
        with own_code(where), _seeded(seed, "images", client):
            changed = found(images)
        if not isinstance(changed, np.ndarray) or (changed.shape, changed.dtype) != (
            images.shape,
            images.dtype,
        ):
            raise MedflError(
                f"{where}: its transform gives {_shown(changed)} for {_shown(images)}; it must "
                "keep both."
            )
        return changed

    return transform


def _shares(where: str, given: object) -> np.ndarray:
    if np.asarray(given).dtype.kind == "c":
        raise MedflError(f"{where} gives shares that are complex numbers; needed are parts of 1.")
    return np.asarray(given, float)


def _shown(found: object) -> str:
    if not isinstance(found, np.ndarray):
        return type(found).__name__
    return f"{found.dtype} images of shape {found.shape}"


@contextmanager
def _asked(partition: Partition, request: Request) -> Iterator[None]:
    """Ask a partition; one of a person's own cannot change what it is given."""
    if partition.name in PARTITIONS:
        yield
        return
    store, groups = request.store, request.groups
    given = [request.fold, *vars(groups).values(), *vars(store).values()]
    arrays = [one for one in given if isinstance(one, np.ndarray) and one.flags.writeable]
    for one in arrays:
        one.flags.writeable = False
    try:
        with own_code(f"partition `{partition.word}`"), _seeded(request.seed, partition.name):
            yield
    finally:
        for one in arrays:
            one.flags.writeable = True


def _seeded(seed: int, *purpose: str | int) -> AbstractContextManager[None]:
    """Seed what own code may draw from; afterwards it stands where it stood before."""
    return drawing(int(stream(seed, "process", *purpose).integers(2**32)))
