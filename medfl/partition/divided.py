"""Patients whose samples a split parts: refused or, where asked for, counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from medfl.disclosure.cells import NONE, in_words
from medfl.errors import MedflError
from medfl.store.info import undecided_ids

if TYPE_CHECKING:
    from medfl.store import Store

SETTING = "allow_divided_patients"


@dataclass(frozen=True)
class Divided:
    """How many patients (groups) a split divides.

    Attributes:
        clients: those with samples at two clients or more.
        folds: those with samples in two folds or more.
        elsewhere: samples that are with the client of another site, since most of their patient's
            are at that one.
        travellers: whose these are.
    """

    clients: int = 0
    folds: int = 0
    elsewhere: int = 0
    travellers: int = 0

    @property
    def counts(self) -> dict[str, Any]:
        """What a heterogeneity record says of it; empty where every patient is whole."""
        record: dict[str, Any] = {}
        if self.clients or self.folds:
            record["divided_patients"] = {"clients": self.clients, "folds": self.folds}
        if self.elsewhere:
            record["second_site"] = {"patients": self.travellers, "samples": self.elsewhere}
        return record

    def warnings(self, minimum: int = NONE) -> list[str]:
        """What a user should know of it; counts below ``minimum`` are not told."""
        clients, folds, elsewhere, travellers = (
            in_words(count, minimum)
            for count in (self.clients, self.folds, self.elsewhere, self.travellers)
        )
        lines = []
        if self.clients or self.folds:
            lines.append(
                f"{clients} groups (patients) are at more than one client and "
                f"{folds} in more than one fold, as `{SETTING}` permits"
                + (": what tests say is too good" if self.folds else "")
            )
        if self.elsewhere:
            lines.append(
                f"{travellers} groups (patients) are at more than one site: "
                f"{elsewhere} of their samples are with the client of the site where most "
                "of the patient's are"
            )
        return lines


def check_patients(
    where: str, store: Store, clients: np.ndarray, folds: np.ndarray, allowed: bool
) -> Divided:
    """Count the patients that a split divides.

    Args:
        where: what made the split, for errors.
        store: the dataset.
        clients: (N,) client of each sample.
        folds: (N,) fold of each sample; empty where it is left out, and divides nobody.
        allowed: whether patients may be divided.

    Raises:
        MedflError: one is divided, and that is not allowed.
    """
    counts = {}
    kept = folds != ""
    names, of_sample = np.unique(np.asarray(store.groups)[kept], return_inverse=True)
    for what, values in (("folds", folds[kept]), ("clients", clients[kept])):
        one = np.empty(len(names), values.dtype)
        one[of_sample] = values
        odd = np.flatnonzero(one[of_sample] != values)
        counts[what] = len(np.unique(of_sample[odd]))
        if len(odd) and not allowed:
            group, first, second = of_sample[odd[0]], one[of_sample[odd[0]]], values[odd[0]]
            raise MedflError(
                f"{where}: {counts[what]:,} of {len(names):,} groups (patients) lie in two "
                f"{what}, such as `{names[group]}` in {first} and {second}. Keep a "
                "patient's samples together; "
                f"where it is meant, `{SETTING}: true` (in a grid, or under `split:` of a run; "
                "--allow-divided-patients) takes the split and counts them."
            )
    return Divided(**counts)


def refuse_undecided(store: Store) -> None:
    """Refuse a store of which nobody knows whether an id at two sites is one patient."""
    if store.info.undecided_patients:
        raise MedflError(f"{store.path}: {undecided_ids(store.info.undecided_patients)}.")


def second_sites(store: Store, sites: np.ndarray) -> Divided:
    """Count the samples that are not at the site of their group; ``sites`` are (N,) those sites."""
    away = np.asarray(store.sites) != sites
    return Divided(
        elsewhere=int(away.sum()), travellers=len(np.unique(np.asarray(store.groups)[away]))
    )
