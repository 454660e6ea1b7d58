"""Natural federations: each client is a site (hospital, source), or a part of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medfl.errors import MedflError
from medfl.partition.base import ALPHA, Block, Partition, Request
from medfl.partition.groups import Groups
from medfl.partition.label import dirichlet_shares

if TYPE_CHECKING:
    from medfl.store import Store


class Sites(Partition):
    """Every site is a client."""

    title = "Natural sites"
    natural = True
    by_site = True
    even = True

    def blocks(self, request: Request) -> list[Block]:
        """One client for each site's groups."""
        store, groups = request.store, request.groups
        sites = site_names(store, groups)
        if request.num_clients not in (None, len(sites)):
            raise MedflError(
                f"partition `site` has one client per site, and {store.path} has {len(sites)} "
                f"({', '.join(sites)}), not {request.num_clients}: leave num_clients out."
            )
        if len(sites) == 1:
            several = len(np.unique(np.asarray(store.sites))) > 1
            what = "all patients have most of their samples at" if several else "all samples are of"
            raise MedflError(
                f"{store.path}: {what} one site, `{sites[0]}`: by `site` it would be a federation "
                "of one client, since no patient is divided; choose another partition, for example "
                "dirichlet-0.5."
            )
        shares = np.ones((1, len(groups.columns)))
        return [Block(groups.sites == site, shares, site) for site in sites.tolist()]


class DividedSites(Partition):
    """Every site is divided into clients, by a Dirichlet distribution."""

    value = ALPHA
    title = "Sites, Dirichlet α = {}"
    by_site = True

    def blocks(self, request: Request) -> list[Block]:
        """The clients of each site share its groups."""
        groups = request.groups
        sites = site_names(request.store, groups, self.word)
        training = np.array([(groups.sites[request.fold == 0] == site).sum() for site in sites])
        clients = clients_of_sites(training, request.num_clients)
        blocks = []
        for site, number in zip(sites.tolist(), clients.tolist(), strict=True):
            shares = np.ones((1, len(groups.columns)))
            if number > 1:
                draw = ("site", site)
                shares = dirichlet_shares(groups.columns, number, self.number, request.seed, *draw)
            blocks.append(Block(groups.sites == site, shares, site))
        return blocks


def site_names(store: Store, groups: Groups, word: str = "site") -> np.ndarray:
    """The sites in alphabetical order: client i of partition ``site`` is site i.

    Args:
        store: the prepared dataset.
        groups: its groups.
        word: the partition's, for errors.

    Raises:
        MedflError: where the dataset knows no sites, or not every sample's.
    """
    sites = np.asarray(store.sites)
    if (sites == "").all():
        raise MedflError(
            f"{store.path}: the dataset names no sites, so it has no partition `{word}`; choose "
            "another, for example dirichlet-0.5."
        )
    if lacking := int((sites == "").sum()):
        raise MedflError(
            f"{store.path}: {lacking:,} of {len(sites):,} samples have no site, so that no client "
            f"of partition `{word}` could hold them: name their sites and prepare again, or choose "
            "another, for example dirichlet-0.5."
        )
    return np.unique(groups.sites)


def clients_of_sites(groups_of_site: np.ndarray, num_clients: int | None) -> np.ndarray:
    """How many clients each site becomes under ``site-dirichlet``.

    Each becomes one client first. The others go one by one to the site with most groups per client
    (D'Hondt's rule), so that clients come out about equally large.

    Args:
        groups_of_site: (S,) training groups of each site.
        num_clients: the number of clients in all; None for two per site.

    Returns:
        (S,) clients of each site.
    """
    sites = len(groups_of_site)
    if num_clients is None:
        num_clients = 2 * sites
    if num_clients < sites:
        raise MedflError(
            f"site-dirichlet divides each of the {sites} sites: {num_clients} clients are too few, "
            f"use at least {sites}."
        )
    clients = np.ones(sites, np.int64)
    for _ in range(num_clients - sites):
        clients[(groups_of_site / clients).argmax()] += 1
    return clients
