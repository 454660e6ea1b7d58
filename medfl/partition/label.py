"""Label skew: each client sees the classes in proportions of its own."""

from __future__ import annotations

import numpy as np

from medfl.errors import MedflError
from medfl.partition.base import ALPHA, Partition, Request, Value, check_enough_groups
from medfl.partition.random import stream


class Iid(Partition):
    """Every client gets an equal share of every label."""

    title = "IID"
    even = True


class Dirichlet(Partition):
    """Clients' shares of a label are drawn from a Dirichlet distribution (``dirichlet_shares``)."""

    value = ALPHA
    title = "Dirichlet α = {}"

    def shares(self, request: Request) -> np.ndarray:
        """(M, K) shares, one draw for each label."""
        columns = request.groups.columns
        return dirichlet_shares(columns, request.clients, self.number, request.seed)


class Pathological(Partition):
    """Every client holds the same small number of classes (``pathological_holders``)."""

    value = Value("the number of classes", "2", low=1, high=1e6, whole=True)
    title = "{} classes per client"
    even = True
    strict = True

    def shares(self, request: Request) -> np.ndarray:
        """(M, K) shares: equal between the holders of a class, 0 for the others."""
        groups, clients = request.groups, request.clients
        training = request.fold == 0
        check_enough_groups(int(training.sum()), clients)
        number = np.bincount(groups.keys[training], minlength=len(groups.columns))
        holders = pathological_holders(
            number, groups.columns, clients, int(self.number), request.seed
        )
        # No client holds a class without training groups: its other groups may go to any client.
        holders[:, ~holders.any(0)] = True
        return holders / holders.sum(0)


def dirichlet_shares(
    columns: tuple[str, ...], num_clients: int, alpha: float, seed: int, *purpose: str
) -> np.ndarray:
    """Each client's share of each label, drawn from a symmetric Dirichlet for every label.

    Yurochkin et al., "Bayesian nonparametric federated learning of neural networks", ICML 2019,
    section 4: p_k ~ Dir_M(alpha). A share has mean 1/M and variance (1/M)(1 - 1/M)/(M alpha + 1).
    Every label has its own stream, so the order of the classes changes nothing. For multi-label
    data there is a draw for every finding and one for "no label"; groups are then dealt by their
    rarest label.

    Returns:
        (M, K) shares; each column adds up to 1.
    """
    concentration = np.full(num_clients, alpha)
    draws = [stream(seed, "dirichlet", *purpose, name).dirichlet(concentration) for name in columns]
    return np.stack(draws, axis=1)


def pathological_holders(
    groups_per_class: np.ndarray, columns: tuple[str, ...], num_clients: int, k: int, seed: int
) -> np.ndarray:
    """Which client holds which class: each client exactly ``k``, and each class some client.

    McMahan et al., AISTATS 2017, section 3 (clients with few classes), in the form of Li et al.,
    "Federated learning on non-IID data silos", ICDE 2022 (#C = k): classes have as equal numbers of
    holders as their groups allow, and each class is divided equally between its holders.

    Args:
        groups_per_class: (K,) training groups of each class, which limits its holders.
        columns: (K,) class names.
        num_clients: M.
        k: classes per client.
        seed: the split's seed.

    Returns:
        (M, K) bool.

    Raises:
        MedflError: where a class would be held by no one, or classes or groups do not suffice.
    """
    present = np.flatnonzero(groups_per_class > 0)
    if k > len(present):
        raise MedflError(
            f"pathological-{k} asks for {k} classes per client, but the training fold has "
            f"{len(present)}: use pathological-{len(present)} or less."
        )
    if num_clients * k < len(present):
        raise MedflError(
            f"pathological-{k} with {num_clients} clients leaves some of the {len(present)} "
            f"classes to no one: use at least {-(-len(present) // k)} clients, or "
            f"pathological-{-(-len(present) // num_clients)} or more."
        )
    capacity = np.minimum(groups_per_class[present], num_clients)
    rng = stream(seed, "pathological")
    places = np.ones(len(present), np.int64)
    for _ in range(num_clients * k - len(present)):
        room = np.flatnonzero(places < capacity)
        if not len(room):
            scarce = present[capacity.argmin()]
            raise MedflError(
                f"pathological-{k} with {num_clients} clients: the training fold has too few "
                f"groups (patients), for example {groups_per_class[scarce]} of class "
                f"`{columns[scarce]}`, to give each client {k} classes: use fewer clients or "
                "fewer classes per client."
            )
        fewest = room[places[room] == places[room].min()]
        places[rng.choice(fewest)] += 1
    # Each client takes the classes with most places left: by Gale and Ryser's theorem this never
    # gets stuck.
    holders = np.zeros((num_clients, len(groups_per_class)), bool)
    for client in rng.permutation(num_clients):
        luck = rng.permutation(len(present))
        chosen = np.lexsort((luck, -places))[:k]
        places[chosen] -= 1
        holders[client, present[chosen]] = True
    return holders
