"""What attackers send, by hand."""

from __future__ import annotations

from statistics import NormalDist
from types import SimpleNamespace

import pytest
import torch
from byzantine import THREE, rows_of
from federations import Normed, federation

from medfl.chain import PARAMETERS, STATISTICS, Message, Part
from medfl.robustness.attacks.knowing import alie_z, mean, moved

SIX = (8, 16, 12, 6, 10, 9)


def attack_of(word, params=None, attackers=1, **chain):
    """The link of a federation of six, and the ids of its attackers and of the others."""
    links = {"links": {word: params or {}}, "attackers": attackers, **chain}
    trainer = federation(chain=links, sizes=SIX)
    link = trainer.server.chain.links[0]
    bad = sorted(link.attackers)
    assert len(bad) == attackers
    return link, bad, [client for client in range(6) if client not in bad]


def sent(link, bad, values, base=None):
    """What the attackers send where the honest clients send ``values``."""
    honest = [client for client in range(6) if client not in bad][: len(values)]
    own = torch.zeros(len(values[0]), dtype=torch.float64)
    messages = []
    for client in sorted([*honest, *bad]):
        value = own
        if client in honest:
            value = torch.tensor(values[honest.index(client)], dtype=torch.float64)
        part = Part(value if base is None else value + base, 1.0, base)
        messages.append(Message(client, {PARAMETERS: part}, 1.0, 0.0, 1, 1))
    before = [message.copy() for message in messages]
    after = link.together(1, messages)
    assert [message.client for message in after] == sorted([*honest, *bad])
    for one, other in zip(before, after, strict=True):
        if one.client in honest:
            assert torch.equal(one.parts[PARAMETERS].value, other.parts[PARAMETERS].value)
    found = [one.parts[PARAMETERS].update for one in after if one.client in bad]
    assert all(torch.equal(one, found[0]) for one in found)
    return found[0].tolist()


def test_three_honest_rows():
    """Mean (4, 5, 6), standard deviation 3 with n − 1."""
    link, bad, _ = attack_of("ipm", {"scale": 2.0})
    assert sent(link, bad, THREE) == pytest.approx([-8, -10, -12])
    base = torch.tensor([100.0, 200.0, 300.0], dtype=torch.float64)
    assert sent(link, bad, THREE, base) == pytest.approx([-8, -10, -12])
    link, bad, _ = attack_of("alie", {"z": 1.5}, attackers=2)
    assert sent(link, bad, THREE) == pytest.approx([8.5, 9.5, 10.5])
    link, bad, _ = attack_of("alie", {"z": 1.5, "sign": "minus"})
    assert sent(link, bad, THREE) == pytest.approx([-0.5, 0.5, 1.5])
    for middle in (moved(rows_of(THREE), 0.0, "plus"), mean(rows_of(THREE))):
        assert middle.tolist() == pytest.approx([4, 5, 6])


@pytest.mark.parametrize(
    ("clients", "attackers", "share"),
    [(15, 3, 7 / 12), (50, 10, 24 / 40), (50, 12, 24 / 38), (25, 5, 12 / 20)],
)
def test_z_of_a_little_is_enough(clients, attackers, share):
    """s = ⌊n/2⌋ + 1 − f supporters are needed of n − f honest clients."""
    assert alie_z(clients, attackers) == pytest.approx(NormalDist().inv_cdf(share))


@pytest.mark.parametrize(("clients", "attackers"), [(10, 2), (4, 1), (3, 1), (5, 3), (4, 2)])
def test_where_z_is_not_defined(clients, attackers):
    assert alie_z(clients, attackers) == 0


def test_min_max_and_min_sum_by_hand():
    """Of 0, 1 and 5 the mean is 2; the two farthest are 5 apart, and 5's sum of squares is 41.

    At m the farthest is 5: 5 − m ≤ 5. And 3 (m − 2)² + 14 ≤ 41.
    """
    values = [[0.0], [1.0], [5.0]]
    for direction in ("deviation", "unit", "sign"):
        link, bad, _ = attack_of("min_max", {"direction": direction}, attackers=2)
        assert sent(link, bad, values) == pytest.approx([0.0])
        link, bad, _ = attack_of("min_sum", {"direction": direction})
        assert sent(link, bad, values) == pytest.approx([-1.0])
    assert sent(link, bad, [[2.0], [2.0], [2.0]]) == pytest.approx([2.0])


def test_min_max_keeps_its_bound_in_many_dimensions():
    values = torch.randn(5, 30, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    link, bad, _ = attack_of("min_max")
    found = torch.tensor(sent(link, bad, values.tolist()), dtype=torch.float64)
    farthest = torch.cdist(values, values).max()
    assert float((values - found).norm(dim=1).max()) == pytest.approx(float(farthest))
    link, bad, _ = attack_of("min_sum")
    found = torch.tensor(sent(link, bad, values.tolist()), dtype=torch.float64)
    worst = torch.cdist(values, values).square().sum(dim=1).max()
    assert float((values - found).square().sum()) == pytest.approx(float(worst))


def test_mimic_copies_the_same_client_in_every_round():
    """The updates vary most along the first axis, where the third lies farthest out."""
    link, bad, honest = attack_of("mimic")
    assert sent(link, bad, [[0, 1], [1, 0], [-5, 0], [1, 1]]) == [-5, 0]
    assert sent(link, bad, [[90, 1], [1, 0], [-5, 3], [1, 1]]) == [-5, 3]
    assert link.record() == {"attackers": bad, "copied": honest[2]}


def test_mimic_comes_back_to_whom_it_copied():
    """In a round without the third client it copies another, and the third again afterwards."""
    link, bad, honest = attack_of("mimic")
    assert sent(link, bad, [[0.0], [1.0], [-5.0]]) == [-5.0]
    assert sent(link, bad, [[9.0], [1.0]]) in ([9.0], [1.0])
    assert sent(link, bad, [[90.0], [1.0], [-5.0]]) == [-5.0]
    assert link.record()["copied"] == honest[2]


def test_the_adaptive_attack_takes_what_harms_most():
    """Against the mean the longest; against a median of 1, 2, 4 and 9, whatever lies above 4."""
    values = [[1.0], [2.0], [4.0], [9.0]]
    link, bad, _ = attack_of("adaptive_ipm", {"largest": 8.0, "ratio": 0.5, "tries": 4})
    assert sent(link, bad, values) == [-32.0]
    # From the mean 4 and σ ≈ 3.6 on, every strength tried lets the median be 4: so the first
    # strength, which is as good as any, stays.
    link, bad, _ = attack_of("adaptive_alie", {"largest": 8.0, "tries": 4}, rule="median")
    assert sent(link, bad, values) == pytest.approx([4 + 8 * (38 / 3) ** 0.5])


def test_the_adaptive_attack_passes_over_what_would_be_refused():
    """3 · 10^38 times the mean of 10^300 is no number: the next is taken, 3 · 10^38 · 10^-31."""
    params = {"largest": 3e38, "ratio": 1e-31, "tries": 2}
    link, bad, _ = attack_of("adaptive_ipm", params, rule="median")
    assert sent(link, bad, [[1e300]] * 4) == pytest.approx([-3e307])


def test_the_adaptive_attack_beats_centred_clipping_by_trying():
    """What it sends moves the rule's result farther than any other strength that it may try."""
    values = [[1.0, 0.0], [0.9, 0.2], [1.1, -0.1], [1.0, 0.3]]
    params = {"largest": 10.0, "ratio": 0.6, "tries": 12}
    chain = {"rule": "multi_krum"}
    link, bad, _ = attack_of("adaptive_ipm", params, **chain)
    chosen = torch.tensor(sent(link, bad, values), dtype=torch.float64)
    middle = torch.tensor(values, dtype=torch.float64).mean(dim=0)

    def harm(update):
        rows = torch.tensor([*values, update.tolist()], dtype=torch.float64)
        squared = torch.cdist(rows, rows).square()
        scores = squared.sort(dim=1).values[:, 1:3].sum(dim=1)  # n − f − 2 = 2 neighbours
        return float((rows[scores.sort(stable=True).indices[:4]].mean(dim=0) - middle).norm())

    best = max(harm(middle * -(10 * 0.6**k)) for k in range(12))
    assert harm(chosen) == pytest.approx(best)


def test_running_variances_stay_positive():
    link, _bad, _ = attack_of("sign_flip")
    trainer = federation(chain={"links": {"sign_flip": {}}, "attackers": 1}, model=Normed)
    link = trainer.server.chain.links[0]
    base = trainer.server.buffers.clone()  # four means of 0, four variances of 1
    found = link.sent(STATISTICS, Part(base, 1.0, base), torch.full_like(base, -3.0))
    assert found.value.tolist() == [-3.0] * 4 + [0.01] * 4


def test_a_sign_is_flipped_of_the_update_and_not_of_the_model():
    """The update (4, 5, 6) from (10, 20, 30) becomes −(4, 5, 6): the model (6, 15, 24) is sent."""
    link, (attacker,), honest = attack_of("sign_flip")
    base = torch.tensor([10.0, 20.0, 30.0], dtype=torch.float64)
    for client, expected in ((attacker, [-4, -5, -6]), (honest[0], [4, 5, 6])):
        part = Part(base + torch.tensor([4.0, 5.0, 6.0]), 1.0, base)
        message = Message(client, {PARAMETERS: part}, 1.0, 0.0, 1, 1)
        found = link.message(SimpleNamespace(id=client), message).parts[PARAMETERS]
        assert found.update.tolist() == expected
        assert found.value.tolist() == [a + b for a, b in zip([10, 20, 30], expected, strict=True)]
