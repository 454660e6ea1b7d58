"""The sparse graph: each client has masks and shares in common with some of the others alone. Bell,
Bonawitz, Gascón, Lepoint and Raykova, Secure Single-Server Aggregation with (Poly)Logarithmic
Overhead, CCS 2020.

Here each client draws k others itself, so that the server has no say in it, and every client sees
whom each has drawn. As in the complete graph all clients sign one list of who is in the sum.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln
from scipy.stats import hypergeom

from medfl.errors import MedflError

SECURITY_BITS = 40
"""The server learns more than the sum with a probability of at most 2^−40."""
FAILURE_BITS = 20
"""As many clients as were expected drop out, and the round fails, with at most 2^−20."""
_LN2 = float(np.log(2.0))


class SparseGraph(NamedTuple):
    """How sparse the graph may be.

    Attributes:
        neighbours: k, how many others each client draws; they and itself hold its shares.
        shares: ℓ, how many shares give a seed back. So many of those who hold a client's shares
            must be there, or the client's vector is not unmasked.
    """

    neighbours: int
    shares: int


@cache
def sparse_graph(clients: int, colluding: int, threshold: int, dropouts: int) -> SparseGraph:
    """The sparsest graph that protects ``clients``.

    Args:
        clients: n.
        colluding: c, how many collude with the server.
        threshold: t, how many must stay. The server may let all others drop out, as it likes.
        dropouts: how many, drawn by chance, must not make the round fail.

    Raises:
        MedflError: a graph that protects is no sparser than the complete one.
    """
    low, high = 2, clients - 2
    if high < low or _shares(clients, colluding, threshold, dropouts, high) is None:
        raise MedflError(
            f"secure aggregation of {clients} clients, of which {colluding} may collude and "
            f"{dropouts} may drop out: a sparse graph that protects them would be the complete "
            "one. Leave `sparse` out."
        )
    while low < high:  # a denser graph is hardly ever worse; what is found is safe in any case
        middle = (low + high) // 2
        if _shares(clients, colluding, threshold, dropouts, middle) is None:
            low = middle + 1
        else:
            high = middle
    shares = _shares(clients, colluding, threshold, dropouts, low)
    assert shares is not None
    return SparseGraph(low, shares)


def _shares(n: int, c: int, t: int, dropouts: int, k: int) -> int | None:
    """How many shares ℓ give a seed back with k neighbours, if that is safe; else None."""
    numbers = np.arange(k + 1)
    # ℓ − 1 or fewer of the k are left with a probability of at most 2^−20 over all clients.
    left = hypergeom.logcdf(numbers, n - 1, max(n - 1 - dropouts, 0), k)
    fails = left > -(FAILURE_BITS * _LN2 + np.log(n))
    shares = int(np.argmax(fails)) if fails.any() else k
    # More than so many of the k collude with at most 2^−41 over all clients.
    more = hypergeom.logsf(numbers, n - 1, c, k)
    most = int(np.argmax(more <= -((SECURITY_BITS + 1) * _LN2 + np.log(n))))
    # A client that is unmasked has ℓ − 1 others left, and so at least this many honest ones.
    honest = shares - 1 - most
    if honest < 1 or _log_split(n, c, t, k, honest) > -(SECURITY_BITS + 1) * _LN2:
        return None
    return shares


def _log_split(n: int, c: int, t: int, k: int, honest: int) -> float:
    """A bound on ln P(the honest clients of some sum fall into two groups without common masks).

    The server could then read two sums instead of one. Union bound over all groups S and T of
    honest clients with |S| ≤ |T| and |S| + |T| ≥ t − c, whichever the server lets drop out: each
    of S drew at least ``honest`` others of S and none of T, each of T drew none of S.
    """
    factorials = gammaln(np.arange(n + 1) + 1.0)

    def choose(total: Any, some: Any) -> Any:
        """ln of the binomial coefficient; −∞ where ``some`` is above ``total``."""
        total, some = np.broadcast_arrays(total, some)
        there = np.maximum(total, some)
        found = factorials[there] - factorials[some] - factorials[there - some]
        return np.where(some > total, -np.inf, found)

    bound = -np.inf
    for s in range(honest + 1, (n - c) // 2 + 1):
        t_sizes = np.arange(max(s, t - c - s), n - c - s + 1)
        if not t_sizes.size:
            continue
        without_t = choose(n - 1 - t_sizes, k) - choose(n - 1, k)
        within_s = choose(k, honest) + choose(s - 1, honest) - choose(n - 1 - t_sizes, honest)
        without_s = choose(n - 1 - s, k) - choose(n - 1, k)
        groups = choose(n - c, s) + choose(n - c - s, t_sizes)
        logs = groups + s * (without_t + np.minimum(within_s, 0.0)) + t_sizes * without_s
        bound = np.logaddexp(bound, np.logaddexp.reduce(logs))
    return float(bound)
