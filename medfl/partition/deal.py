"""Deals groups to clients (or folds) in given proportions, and helps clients that got too few.

``deal`` is iterative stratification (Sechidis, Tsoumakas, Vlahavas, "On the stratification of
multi-label data", ECML PKDD 2011, algorithm 1) over groups and with any target per receiver and
label: rare labels are dealt first, and each group goes to the receiver that still lacks most of
that label. For samples with one label and no groups each target is rounded up or down.
"""

from __future__ import annotations

import numpy as np

_EPSILON = 1e-9


def deal(counts: np.ndarray, desired: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give each group to one receiver.

    Args:
        counts: (G, K) samples of each group by label; every group has at least one.
        desired: (M, K) samples that each receiver should have; each column adds up to the samples
            of that label. A receiver that should have none of a label gets no group dealt by it.
        rng: breaks ties and orders groups.

    Returns:
        (G,) receiver of each group.
    """
    lacking = desired.astype(np.float64)
    total = lacking.sum(1)
    wanted = desired > 0
    carried = counts > 0
    group_sizes = counts.sum(1)
    owner = np.full(len(counts), -1, np.int64)
    while (owner < 0).any():
        waiting = carried[owner < 0].sum(0)
        label = int(np.where(waiting > 0, waiting, np.iinfo(np.int64).max).argmin())
        priority = rng.permutation(len(desired))
        for group in rng.permutation(np.flatnonzero((owner < 0) & carried[:, label])):
            score = np.where(wanted[:, label], lacking[:, label], -np.inf)
            best = np.flatnonzero(score >= score.max() - _EPSILON)
            if len(best) > 1:
                room = total[best]
                best = best[room >= room.max() - _EPSILON]
            chosen = best[priority[best].argmin()]
            owner[group] = chosen
            lacking[chosen] -= counts[group]
            total[chosen] -= group_sizes[group]
    return owner


def whole(desired: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Round wishes to whole samples at random: unbiased, and each column keeps its sum.

    Systematic sampling of the fractions (Madow, Ann. Math. Statist. 1949). Dealing to the largest
    wish first would otherwise take every rare label away from every small client.

    Args:
        desired: (M, K) wishes; each column adds up to a whole number.
        rng: orders receivers, and draws one offset per column.

    Returns:
        (M, K) whole numbers, each the floor or the ceiling of its wish.
    """
    result = np.floor(desired)
    for column, fractions in enumerate((desired - result).T):
        order = rng.permutation(len(fractions))
        ends = np.cumsum(fractions[order])
        extra = round(float(ends[-1]))
        if extra:
            # Rounding must not push the last end off its whole number.
            ends *= extra / ends[-1]
            ends[-1] = extra
            marks = np.floor(np.concatenate([[0.0], ends]) + rng.random())
            result[order, column] += np.diff(marks)
    return result


def top_up(
    owner: np.ndarray,
    sizes: np.ndarray,
    keys: np.ndarray,
    shares: np.ndarray,
    minimum: int,
    allowed: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, int]:
    """Move groups until each receiver holds ``minimum`` samples, or none can spare any.

    The least is raised step by step, so that where groups do not suffice for all, nobody stays at
    one sample while others get many. At each step a receiver takes the label of which it lacks
    most by its own shares, so that what it holds keeps its mixture.

    Args:
        owner: (G,) receiver of each group.
        sizes: (G,) samples of each group.
        keys: (G,) the label that stands for each group.
        shares: (M, K) how much of each label each receiver was dealt, in any unit.
        minimum: samples that every receiver shall hold.
        allowed: (M, K) labels that a receiver may take.
        rng: breaks ties.

    Returns:
        The new owners, and how many samples moved.
    """
    moved = 0
    mixture = shares / np.maximum(shares.sum(1, keepdims=True), _EPSILON)
    for level in range(2, minimum + 1):
        held = np.zeros(shares.shape)
        np.add.at(held, (owner, keys), sizes)
        if held.sum(1).max() <= level:  # nobody can spare any, now or at a higher level
            break
        if held.sum(1).min() < level:
            owner, samples = fill(owner, sizes, keys, mixture * level - held, level, allowed, rng)
            moved += samples
    return owner, moved


def fill(
    owner: np.ndarray,
    sizes: np.ndarray,
    keys: np.ndarray,
    wish: np.ndarray,
    minimum: int,
    allowed: np.ndarray,
    rng: np.random.Generator,
    keep_classes: bool = False,
) -> tuple[np.ndarray, int]:
    """Move as few groups as possible, so that every receiver holds ``minimum`` samples.

    A poor receiver takes groups of the label that it wishes most, from the receiver that holds
    most samples, and no receiver falls below the minimum by giving. Drawing again until all have
    enough might never end, and would change the parts of all receivers.

    Args:
        owner: (G,) receiver of each group.
        sizes: (G,) samples of each group.
        keys: (G,) the label that stands for each group.
        wish: (M, K) how much each receiver would like each label.
        minimum: samples that every receiver shall hold.
        allowed: (M, K) labels that a receiver may take.
        rng: breaks ties.
        keep_classes: a giver keeps at least one group of each label.

    Returns:
        The new owners, and how many samples moved; receivers that could not be helped stay poor.
    """
    owner = owner.copy()
    held = np.bincount(owner, sizes, len(wish)).astype(np.int64)
    luck = rng.permutation(len(owner))
    moved = 0
    for poor in np.flatnonzero(held < minimum):
        while held[poor] < minimum:
            giver_left = held[owner] - sizes
            can = (owner != poor) & (giver_left >= minimum) & allowed[poor, keys]
            if keep_classes:
                number = np.zeros(wish.shape, np.int64)
                np.add.at(number, (owner, keys), 1)
                can &= number[owner, keys] > 1
            candidates = np.flatnonzero(can)
            if not len(candidates):
                break
            rank = np.lexsort(
                (
                    luck[candidates],
                    -sizes[candidates],
                    held[owner[candidates]],
                    wish[poor, keys[candidates]],
                )
            )
            group = candidates[rank[-1]]
            held[owner[group]] -= sizes[group]
            held[poor] += sizes[group]
            owner[group] = poor
            moved += int(sizes[group])
    return owner, moved
