"""A grid whose arms are crossed with attackers, attacks and rules."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from medfl.errors import MedflError
from medfl.federated.fingerprint import fingerprint
from medfl.grid import Cell, load_grid, read_grid
from medfl.pipeline.fixed import fix

ROOT = Path(__file__).parents[2]


def grid(robustness, **changes):
    content = {
        "arms_file": None,
        "arm_settings": {
            "fedavg": {"algorithm": "fedavg"},
            "local": {"algorithm": "local"},
            "clipped": {"algorithm": "fedavg", "chain": {"links": {"clip": {"norm": 2}}}},
            "median": {"algorithm": "fedavg", "chain": {"rule": "median"}},
        },
        "datasets": ["phantom"],
        "partitions": ["iid"],
        "arms": ["fedavg"],
        "seeds": [0],
        "num_clients": 15,
        "robustness": robustness,
        **changes,
    }
    return load_grid(content, "grid.yaml")


AXES = {"attackers": [0, 0.2], "attacks": ["sign_flip", "alie"], "rules": ["sum", "krum"]}


def test_arms_are_crossed_and_without_attackers_there_is_one_for_each_rule():
    assert grid(AXES).arms == [
        "fedavg",
        "fedavg+sum+sign_flip-0.2",
        "fedavg+sum+alie-0.2",
        "fedavg+krum",
        "fedavg+krum+sign_flip-0.2",
        "fedavg+krum+alie-0.2",
    ]


def test_a_cell_has_the_attack_and_the_rule():
    chain = grid(AXES).run_config(Cell("phantom", "iid", "fedavg+krum+alie-0.2", 0)).chain
    assert (chain.attackers, chain.rule, chain.links) == (0.2, "krum", {"alie": {}})
    plain = grid(AXES).run_config(Cell("phantom", "iid", "fedavg", 0))
    alone = grid(None).run_config(Cell("phantom", "iid", "fedavg", 0))
    assert fingerprint(plain) == fingerprint(alone)


def test_where_nobody_attacks_a_rule_is_ready_for_the_most_attackers():
    """Else trimmed means would trim nothing, and defending would cost nothing."""
    axes = {
        **AXES,
        "attackers": [0, 0.1, 0.2],
        "rules": ["sum", "krum", "one"],
        "rule_settings": {"one": {"rule": "krum", "rule_params": {"withstands": 1}}},
    }
    found = grid(axes)
    params = {
        name: arm.get("chain", {}).get("rule_params") for name, arm in found.arm_settings.items()
    }
    assert params["fedavg+krum"] == {"withstands": 0.2}
    assert params["fedavg+one"] == {"withstands": 1}
    assert not params["fedavg"]
    assert not params["fedavg+krum+sign_flip-0.1"]


def test_an_arm_may_meet_some_of_the_attacks_alone():
    arms = {"fedavg": {"algorithm": "fedavg"}, "scaffold": {"algorithm": "scaffold"}}
    axes = {**AXES, "rules": ["sum"], "arm_attacks": {"scaffold": ["alie"]}}
    assert grid(axes, arms=[*arms], arm_settings=arms).arms == [
        "fedavg",
        "fedavg+sum+sign_flip-0.2",
        "fedavg+sum+alie-0.2",
        "scaffold",
        "scaffold+sum+alie-0.2",
    ]


def test_a_crossed_grid_knows_what_each_arm_is_made_of():
    found = grid(AXES, arms=["fedavg", "local"]).crossed
    assert "local" not in found
    assert len(found) == 6
    alie = found["fedavg+krum+alie-0.2"]
    assert (alie.base, alie.rule, alie.attack, alie.attackers) == ("fedavg", "krum", "alie", 0.2)
    assert (found["fedavg"].rule, found["fedavg"].attack) == ("sum", None)
    assert grid(None).crossed == {}


def test_parts_have_names_of_their_own():
    axes = {
        "attackers": [3],
        "attacks": ["weak"],
        "rules": ["nnm"],
        "attack_settings": {"weak": {"ipm": {"scale": 0.5}}},
        "rule_settings": {"nnm": {"rule": "krum", "rule_params": {"pre_aggregation": "nnm"}}},
    }
    found = grid(axes, arms=["clipped"])
    assert found.arms == ["clipped+nnm+weak-3"]
    chain = found.run_config(found.cells()[0]).chain
    assert chain.links == {"clip": {"norm": 2}, "ipm": {"scale": 0.5}}
    assert (chain.attackers, chain.rule) == (3, "krum")
    assert chain.rule_params == {"pre_aggregation": "nnm"}


def test_arms_with_a_rule_of_their_own_or_without_messages_stay_alone():
    found = grid(AXES, arms=["local", "median"])
    assert found.arms == ["local", "median"]


def test_what_is_not_defined_is_left_out_and_named(caplog):
    """Of 10 clients 2: z of ALIE is 0, and Bulyan needs 11."""
    axes = {**AXES, "rules": ["sum", "bulyan"]}
    with caplog.at_level(logging.INFO):
        found = grid(axes, num_clients=10)
    assert found.arms == ["fedavg", "fedavg+sum+sign_flip-0.2"]
    assert "fedavg+bulyan+sign_flip-0.2 (it needs 4f + 3 ≤ n, and f is 2 with n = 10" in caplog.text
    assert "fedavg+sum+alie-0.2 (its z by n and f is not positive at n = 10" in caplog.text
    lost = {name: one.not_defined for name, one in found.crossed.items() if one.not_defined}
    assert list(lost) == [
        "fedavg+sum+alie-0.2",
        "fedavg+bulyan",
        "fedavg+bulyan+sign_flip-0.2",
        "fedavg+bulyan+alie-0.2",
    ]
    assert lost["fedavg+bulyan+alie-0.2"].startswith("it needs 4f + 3 ≤ n")


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"attackers": []}, "at least 1 item"),
        ({"attackers": [0.2]}, "say in `attacks` what the attackers do"),
        ({"attackers": [0], "attacks": ["alie"]}, "say in `attackers` how many"),
        ({"attackers": [0, 0]}, "0 stands there twice"),
        ({**AXES, "rules": ["krumm"]}, "unknown rule `krumm`; did you mean `krum`?"),
        ({**AXES, "attacks": ["sign_flp"]}, "unknown link `sign_flp`; did you mean `sign_flip`?"),
        ({**AXES, "rules": [["krum"]]}, "`robustness.rules.0`"),
        ({**AXES, "attackers": [7], "attacks": ["alie"], "rules": ["krum"]}, "no arm is defined"),
        ({**AXES, "attackers": [1.5]}, "write a share below 1, or a whole number"),
        ({**AXES, "arm_attacks": {"fedavg": ["ipm"]}}, "fedavg: ipm is not in `attacks`"),
        ({**AXES, "arm_attacks": {"fedavgg": ["alie"]}}, "not in `arms`; did you mean `fedavg`?"),
        ({**AXES, "rule": "krum"}, "unknown key `robustness.rule`; did you mean `rules`?"),
        ({**AXES, "attack_settings": {"a": {"ipm": {}, "alie": {}}}}, "a must hold one link"),
    ],
)
def test_mistakes(axes, words):
    with pytest.raises(MedflError) as error:
        grid(axes)
    assert words in str(error.value)


def test_a_fixed_grid_is_the_same_grid(tmp_path, monkeypatch):
    """Jobs read the arms as they were crossed when the grid was started."""
    monkeypatch.chdir(tmp_path)
    whole = grid(AXES)
    again = read_grid(fix(whole))
    assert again.cells() == whole.cells()
    assert again.crossed == whole.crossed
    for cell in whole.cells():
        assert fingerprint(again.run_config(cell)) == fingerprint(whole.run_config(cell))


def test_the_grid_that_we_ship_has_all_its_arms():
    """Two algorithms; three rules, without attackers and under each of four attacks."""
    shipped = read_grid(ROOT / "params" / "robustness.yaml")
    assert len(shipped.arms) == 2 * 3 * (1 + 4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        # Each of these let one run stand for another, or let nobody attack.
        ({"arms": ["fedavg", "fedavg+krum"]}, "two arms would be called `fedavg+krum`"),
        ({"arms": ["fedavg+krum", "fedavg"]}, "two arms would be called `fedavg+krum`"),
        ({"attackers": [0.2, 0.2000001]}, "two arms would be called `fedavg+sum+sign_flip-0.2`"),
        ({"rule_settings": {"sum": {"rule": "median"}}}, "gives median the name of the rule `sum`"),
        (
            {"attack_settings": {"alie": {"sign_flip": {}}}},
            "gives sign_flip the name of the link `alie`",
        ),
        ({"attacks": ["clip"]}, "`clip` in `attacks` is no attack"),
        (
            {"attacks": ["x"], "attack_settings": {"x": {"quantize": {"bits": 8}}}},
            "`quantize` in `attacks` is no attack",
        ),
        ({"rule_settings": {"+": {"rule": "krum"}}}, "`+` becomes a part of arms' names"),
        ({"rule_settings": {"": {"rule": "krum"}}}, "`` becomes a part of arms' names"),
        ({"attack_settings": {"-x": {"alie": {}}}}, "`-x` becomes a part of arms' names"),
        ({"attackers": [0, 1e308]}, "write a number from 0 to 1,000,000"),
        ({"attackers": [0, -1]}, "write a number from 0 to 1,000,000"),
        ({"attackers": [0, 1.5]}, "write a share below 1, or a whole number of clients"),
        (
            {
                "rules": ["m", "M"],
                "rule_settings": {"m": {"rule": "median"}, "M": {"rule": "krum"}},
            },
            "`arms`: fedavg+m and fedavg+M differ in capitals alone",
        ),
    ],
)
def test_names_that_mean_two_things(change, words):
    arms = change.pop("arms", ["fedavg"])
    settings = {
        "fedavg": {"algorithm": "fedavg"},
        "fedavg+krum": {"algorithm": "fedprox", "mu": 0.1, "chain": {"rule": "krum"}},
    }
    with pytest.raises(MedflError) as raised:
        grid({**AXES, **change}, arms=arms, arm_settings=settings)
    assert words in str(raised.value)
