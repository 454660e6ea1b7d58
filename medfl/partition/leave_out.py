"""A hospital never seen: the federation is trained without one site, and tested there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medfl.errors import MedflError
from medfl.partition.base import Block, Partition, Request, SiteName
from medfl.partition.folds import TEST, TRAIN, VAL
from medfl.partition.site import site_names
from medfl.partition.site_words import left_out_site

if TYPE_CHECKING:
    from medfl.partition.groups import Groups
    from medfl.store import Store


class LeaveOut(Partition):
    """Every other site is a client, and all patients of this one are the test samples.

    A patient who was at this site and at another belongs to this one, so that neither a picture of
    the site nor any other of its patients is trained on. The patients of the others who are in the
    test fold elsewhere train here.
    """

    value = SiteName()
    title = "Unseen site: {}"
    natural = True
    by_site = True
    even = True

    @property
    def site(self) -> str:
        """The site that is left out."""
        return left_out_site(self.word) or ""

    def folds(self, request: Request) -> np.ndarray:
        """Its patients are the test fold; those of the others train or validate."""
        unseen = self._patients(request.store, request.groups)
        others = np.where(request.fold == TEST, TRAIN, request.fold)
        fold = np.where(unseen, TEST, others)
        if unseen.all() or not (fold == VAL).any():
            lack = "no patient is left" if unseen.all() else "no patient is left to validate on"
            raise MedflError(
                f"{request.store.path}: without the patients of site `{self.site}` {lack}: leave "
                "out another, or choose another partition, for example site."
            )
        return fold

    def blocks(self, request: Request) -> list[Block]:
        """One client for each site, in alphabetical order; that of this one has test samples."""
        if request.num_clients is not None:
            raise MedflError(
                f"partition `{self.word}` has one client per site: leave num_clients out."
            )
        groups = request.groups
        unseen = self._patients(request.store, groups)
        sites = np.where(unseen, self.site, groups.sites)
        shares = np.ones((1, len(groups.columns)))
        return [
            Block(sites == site, shares, site, unseen=site == self.site)
            for site in np.unique(sites).tolist()
        ]

    def _patients(self, store: Store, groups: Groups) -> np.ndarray:
        """(G,) whether each group has a sample at the site."""
        site_names(store, groups, self.word)
        here = np.asarray(store.sites) == self.site
        check_site(self, np.unique(np.asarray(store.sites)).tolist(), str(store.path))
        found = np.zeros(len(groups), dtype=bool)
        found[groups.of_sample[here]] = True
        return found


def check_site(partition: LeaveOut, sites: list[str], where: str) -> None:
    """Refuse to leave out a site that is not there, or the only one.

    Args:
        partition: which is left out.
        sites: those of the dataset.
        where: the dataset, for errors.
    """
    if partition.site not in sites:
        raise MedflError(
            f"{where} has no site `{partition.site}` to leave out: its sites are "
            f"{', '.join(sites)}."
        )
    if len(sites) == 1:
        raise MedflError(
            f"{where}: all samples are of one site, `{sites[0]}`, so nothing would be left to "
            "train on without it: choose another partition, for example dirichlet-0.5."
        )
