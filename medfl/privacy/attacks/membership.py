"""Membership inference on the model that a federation releases, and on what one client sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medfl.metrics.inputs import Array
from medfl.privacy.attacks.likelihood import likelihood_ratios
from medfl.privacy.attacks.roc import RATES, Caught, Flags, Roc, caught, roc


@dataclass(frozen=True)
class Halves:
    """Who is in which federation.

    Attributes:
        homes: (n,), the client who would hold each sample.
        member: (S, n), whether federation s trains on it.
        people: (n,), the number of its patient.
    """

    homes: NDArray[np.int64]
    member: Flags
    people: NDArray[np.int64]


@dataclass(frozen=True)
class MembershipCurve:
    """One attack, judged over all federations.

    Attributes:
        title: what it is called.
        roc: its curve.
        caught: members found at ``RATES``.
    """

    title: str
    roc: Roc
    caught: list[Caught]


ATTACKS: dict[str, tuple[str, Callable[[Array, Flags], Array]]] = {
    "online": (
        "likelihood ratio, online",
        lambda scores, member: likelihood_ratios(scores, member, online=True),
    ),
    "offline": (
        "likelihood ratio, offline",
        lambda scores, member: likelihood_ratios(scores, member, online=False),
    ),
    "threshold": ("one threshold for all", lambda scores, member: scores),
}
"""Word → title, and what makes (S, n) evidence of (S, n) confidences and memberships."""


def halves(groups: NDArray[np.str_], clients: int, shadows: int, seed: int) -> Halves:
    """Deal patients to clients, and half of them to each federation.

    Every patient is in half of the federations (to one), so that each has shadow models that saw it
    and that did not.

    Args:
        groups: (n,), the patient of each sample.
        clients: of each federation.
        shadows: S, federations; one half trains on a patient, the others do not.
        seed: same seed, same halves.
    """
    _, people = np.unique(groups, return_inverse=True)
    random = np.random.default_rng([seed, shadows, clients])
    count = int(people.max()) + 1
    home = np.arange(count) % clients
    random.shuffle(home)
    inside = np.zeros((shadows, count), dtype=np.bool_)
    for person in range(count):
        inside[random.permutation(shadows)[: shadows // 2], person] = True
    return Halves(home[people].astype(np.int64), inside[:, people], people.astype(np.int64))


def judge(title: str, scores: Array, dealt: Halves) -> dict[str, MembershipCurve]:
    """Each attack of ``ATTACKS`` on confidences (S, n), pooled over the S targets."""
    curves = {}
    people = np.broadcast_to(dealt.people, scores.shape)
    for word, (name, evidence_of) in ATTACKS.items():
        evidence = evidence_of(scores, dealt.member)
        usable = np.isfinite(evidence)
        flat, member = evidence[usable], dealt.member[usable]
        found = [caught(flat, member, people[usable], rate) for rate in RATES]
        curves[word] = MembershipCurve(f"{title}: {name}", roc(flat, member), found)
    return curves
