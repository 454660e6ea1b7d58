"""The sparse graph: who has masks with whom, how many neighbours are enough, and exact sums."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import hypergeom
from secure_rounds import Hospitals, model

from medfl import MedflError, SecureAggregator
from medfl.privacy.sealed.envelope import OVERHEAD, MessageKind
from medfl.privacy.sealed.payload import PayloadReader, packed, packed_pieces
from medfl.privacy.sealed.refusals import SERVER
from medfl.privacy.secure_aggregation import (
    ProtocolSettings,
    RefusedMessageError,
    RoundAbortedError,
    SimulatedAggregation,
    hash_of_model,
)
from medfl.privacy.secure_aggregation import client as module
from medfl.privacy.secure_aggregation.graph import _log_split, sparse_graph
from medfl.privacy.secure_aggregation.survivors import STATEMENT_BYTES

MANY = ProtocolSettings(colluding=2, sparse=True, dropouts=0.05)
N = 50  # of whom 27 must stay


@pytest.fixture(scope="module")
def graph():
    return MANY._graph(N)


def test_the_sum_is_exact_and_few_masks_are_added(graph, monkeypatch):
    counted = []
    original = module.apply_masks

    def counting(vector, plus, minus):
        counted.append(len(plus) + len(minus))
        original(vector, plus, minus)

    monkeypatch.setattr(module, "apply_masks", counting)
    hospitals = Hospitals(N, MANY)
    total = hospitals.run(dict.fromkeys(range(N), 5))
    assert total.tolist() == [1000 * sum(range(N)) + N * (k + 1) for k in range(7)]
    # Each draws k; it is drawn by about k others, of which k²/n are the same.
    k = graph.neighbours
    assert min(counted) >= 1 + k
    assert abs(np.mean(counted) - 1 - k * (2 - k / (N - 1))) < 1
    assert max(counted) < N


@pytest.mark.parametrize("fate", [0, 1, 2, 3, 4])
def test_the_sum_is_exact_where_clients_drop_out_at_any_step(fate):
    hospitals, gone = Hospitals(N, MANY), (3, 17, 40)
    fates = {i: fate if i in gone else 5 for i in range(N)}
    inside = [i for i in range(N) if fates[i] >= 3]
    total = hospitals.run(fates)
    assert total.tolist() == [1000 * sum(inside) + len(inside) * (k + 1) for k in range(7)]


def test_both_ends_of_an_edge_know_it():
    hospitals = Hospitals(N, MANY)
    hospitals.mask()
    dealers = hospitals.clients[0]._round.dealers
    witnesses, joined = dealers.witnesses, dealers.neighbours
    for one, other in itertools.combinations(range(N), 2):
        edge = other in witnesses[one].holders or one in witnesses[other].holders
        assert (other in joined[one]) == edge == (one in joined[other])
    assert all(one not in joined[one] for one in range(N))


def test_holders_are_drawn_anew_by_each_client_and_evenly(graph):
    drawn = [MANY.choose_holders(7, range(N)) for _ in range(2000)]
    assert all(len(set(one)) == graph.neighbours + 1 and 7 in one for one in drawn)
    assert all(one == sorted(one) for one in drawn)
    counts = np.bincount(np.concatenate(drawn), minlength=N)
    share = graph.neighbours / (N - 1)
    spread = math.sqrt(2000 * share * (1 - share))
    assert counts[7] == 2000
    assert np.abs(np.delete(counts, 7) - 2000 * share).max() < 4.5 * spread


def test_the_complete_graph_gives_shares_to_all():
    assert ProtocolSettings().choose_holders(1, [0, 1, 4]) == [0, 1, 4]
    assert ProtocolSettings().share_threshold_of(5) == 3


@pytest.mark.parametrize(
    ("n", "c", "dropouts"),
    [(50, 0, 3), (100, 0, 10), (100, 10, 10), (200, 66, 10), (500, 25, 25), (1000, 0, 50)],
)
def test_the_graph_fulfils_what_it_promises(n, c, dropouts):
    """Shares: enough are left but with 2⁻²⁰, and colluders have too few but with 2⁻⁴⁰."""
    t = (n + c) // 2 + 1
    k, shares = sparse_graph(n, c, t, dropouts)
    assert k < n / 2
    assert n * hypergeom.cdf(shares - 1, n - 1, n - 1 - dropouts, k) <= 2.0**-20
    # Whoever is unmasked has shares − 1 others left, of whom `honest` do not collude but with 2⁻⁴¹.
    honest = max(
        h for h in range(shares) if n * hypergeom.sf(shares - 1 - h, n - 1, c, k) <= 2.0**-41
    )
    assert honest >= 1
    assert _log_split(n, c, t, k, honest) <= -41 * math.log(2)


def split_by_the_server(holders: list[set[int]], t: int, honest: int) -> bool:
    """Whether the server can let clients drop out so that the others fall into two groups."""
    n = len(holders)
    for size in range(t, n + 1):
        for present in itertools.combinations(range(n), size):
            inside = set(present)
            for s in range(1, size // 2 + 1):
                for group in itertools.combinations(present, s):
                    one, other = set(group), inside - set(group)
                    if (
                        all(len(holders[i] & one) >= honest for i in one)
                        and all(len(holders[i] & other) >= honest for i in other)
                        and not any(holders[i] & other for i in one)
                        and not any(holders[i] & one for i in other)
                    ):
                        return True
    return False


@pytest.mark.parametrize(("n", "t", "k", "honest"), [(8, 6, 2, 1), (8, 5, 3, 1)])
def test_the_bound_on_a_split_is_none_too_small(n, t, k, honest):
    """All ways of dropping out, by brute force on drawn graphs: no more splits than the bound."""
    draw, found, graphs = np.random.default_rng(0), 0, 300
    for _ in range(graphs):
        holders = []
        for i in range(n):
            others = [j for j in range(n) if j != i]
            holders.append(set(draw.choice(others, k, replace=False).tolist()))
        found += split_by_the_server(holders, t, honest)
    bound = math.exp(_log_split(n, 0, t, k, honest))
    assert bound < 0.6
    assert 0 < found / graphs <= bound + 3 * math.sqrt(bound * (1 - bound) / graphs)


def test_a_graph_that_would_be_complete_is_refused():
    for n in (3, 4):
        with pytest.raises(MedflError, match=r"would be the complete one\. Leave `sparse` out"):
            ProtocolSettings(sparse=True).share_threshold_of(n)
    with pytest.raises(MedflError, match="Leave `sparse` out"):
        SecureAggregator(4, sparse=True)
    with pytest.raises(MedflError, match="dropouts must be from 0 to below 1"):
        ProtocolSettings(dropouts=1.0)


def test_a_client_whose_neighbours_are_all_gone_is_not_unmasked(graph):
    """The server drops just those who protect client 5; there are still more than t clients."""
    hospitals = Hospitals(N, MANY)
    roster = hospitals.advertise()
    for i in range(N):
        hospitals.give(hospitals.clients[i].share(roster))
    delivered, vectors = hospitals.server.deliver(), hospitals.vectors()
    for i in range(N):
        hospitals.clients[i].mask(delivered[i], vectors[i])
    protect = [hospitals.clients[i]._round.dealers.witnesses[i].holders for i in range(N)]
    holders = protect[5]
    left = sorted({5, *(set(range(N)) - set(holders))})
    assert len(left) > MANY.threshold_of(N)
    lie = hospitals.listing(left)
    # The graph is drawn anew each time: another client may have lost too many of its own, too.
    alone = [str(i) for i in left if len({*left} & {*protect[i]}) < graph.shares]
    assert "5" in alone
    with pytest.raises(RefusedMessageError, match=f"neighbours of client ({'|'.join(alone)}) are"):
        hospitals.clients[5].confirm(lie)
    # Whoever holds a share of it sees the same.
    kept = sorted({*left, holders[0] if holders[0] != 5 else holders[1]})
    holder = next(i for i in kept if i in holders and i != 5)
    lie = hospitals.listing(kept)
    with pytest.raises(RefusedMessageError, match="too few neighbours of client"):
        hospitals.clients[holder].confirm(lie)


def test_a_client_cannot_be_cut_off_by_showing_it_few_neighbours():
    """Half of those who protect client 5 are shown to it and then dropped, the rest is hidden.

    The holders of its shares count those who are hidden from it. But it has signed whom it saw.
    """
    hospitals = Hospitals(N, ProtocolSettings(sparse=True))
    delivered, vectors = hospitals.share(), hospitals.vectors()
    state = hospitals.server._state
    joined = state.dealers.neighbours[5]
    drawn = [i for i in state.witnesses[5][0].holders if i != 5]
    shares = hospitals.settings.share_threshold_of(N)
    seen = drawn[: shares - 1]
    assert len(drawn) - len(seen) >= shares - 1, "the holders see enough of the others"
    hidden = set(joined) - set(seen)
    reader = PayloadReader(memoryview(delivered[5])[OVERHEAD - 64 : -64], SERVER)
    words = reader.pieces()
    kept = [piece for piece in words if int.from_bytes(piece[9:17], "little") not in hidden]
    lie = hospitals.forge(MessageKind.DELIVERY, packed_pieces(kept), packed(0))
    masked = {5: hospitals.clients[5].mask(lie, vectors[5])}
    for i in range(N):
        if i != 5:
            masked[i] = hospitals.clients[i].mask(delivered[i], vectors[i])
    said = {i: message[-64 - STATEMENT_BYTES : -64] for i, message in masked.items()}
    left = [said[i] for i in range(N) if i not in seen]
    assert len(left) >= hospitals.settings.threshold_of(N)
    survivors = hospitals.forge(MessageKind.SURVIVORS, packed_pieces(left))
    for i in sorted(hidden):
        with pytest.raises(RefusedMessageError, match=r"client 5 .* masks in common with others"):
            hospitals.clients[i].confirm(survivors)


def test_a_client_does_not_mask_where_too_few_of_its_neighbours_dealt_shares(graph):
    hospitals = Hospitals(N, MANY)
    roster = hospitals.advertise()
    hospitals.give(hospitals.clients[5].share(roster))
    state = hospitals.server._state
    holders = state.witnesses[5][0].holders
    gone = [i for i in holders if i != 5][: graph.neighbours + 2 - graph.shares]
    for i in range(N):
        if i not in gone and i != 5:
            hospitals.give(hospitals.clients[i].share(roster))
    delivered = hospitals.server.deliver()
    with pytest.raises(RefusedMessageError, match="too few neighbours of client 5"):
        hospitals.clients[5].mask(delivered[5], hospitals.vectors()[5])


def test_holders_that_are_not_there_get_no_share_and_count_as_dropped_out():
    hospitals = Hospitals(N, MANY)
    opening = hospitals.server.open(1, range(N), model(1))
    for i in range(2, N):
        hospitals.give(hospitals.clients[i].advertise(opening, model(1)))
    roster = hospitals.server.roster()
    for i in range(2, N):
        hospitals.give(hospitals.clients[i].share(roster))
    state = hospitals.server._state
    assert any(0 in witness.holders for witness, _ in state.witnesses.values())
    assert all(0 not in packets and 1 not in packets for packets in state.packets.values())


def test_below_the_threshold_a_sparse_round_ends_without_a_sum():
    fates = {i: 5 if i < 26 else 2 for i in range(N)}
    with pytest.raises(RoundAbortedError, match="26 of 50 clients sent their masked vectors"):
        Hospitals(N, MANY).run(fates)


@pytest.mark.slow
def test_a_hundred_clients_with_a_tenth_gone():
    settings = ProtocolSettings(sparse=True)
    rounds = SimulatedAggregation(range(100), settings)
    vector = np.arange(20, dtype="<u4")
    rounds.open(1, range(100), hash_of_model(b"x"), gone=range(0, 5))
    for i in range(10, 100):
        rounds.add(rounds.mask(i, vector))
    assert rounds.finish(gone=range(10, 12)).tolist() == (90 * vector).tolist()
    assert rounds.refusals == []


def test_the_front_takes_it():
    aggregator = SecureAggregator(60, value_bits=14, sparse=True)
    updates = dict.fromkeys(range(60), np.full(3, 0.25))
    mean, weight = aggregator.aggregate(updates)
    assert weight == 60
    assert np.abs(mean - 0.25).max() <= 1 / 8191


def test_an_opening_for_which_there_is_no_graph_is_refused_and_changes_nothing():
    """Of 200 clients a graph protects them, of 3 it would be the complete one."""
    hospitals = Hospitals(200, ProtocolSettings(sparse=True))
    few = hospitals.server.open(1, range(3), model(1))
    with pytest.raises(RefusedMessageError, match="would be the complete one"):
        hospitals.clients[0].advertise(few, model(1))
    right = hospitals.server.open(1, range(200), model(1))
    assert hospitals.clients[0].advertise(right, model(1))
