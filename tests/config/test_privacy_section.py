"""The section `privacy` is a shorthand of links: one run, however it is written."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from pydantic import ValidationError

from medfl.config import FederatedConfig
from medfl.federated.fingerprint import differences, fingerprint
from medfl.files import read_yaml, write_yaml
from medfl.grid import load_grid

USUAL = {
    "differential_privacy": True,
    "noise_multiplier": 1.0,
    "max_grad_norm": 0.5,
    "target_epsilon": 10.0,
}
STEPS = {"local_steps": 5}


def test_true_means_an_image():
    config = FederatedConfig(privacy=USUAL, federated_learning=STEPS)
    params = {key: value for key, value in USUAL.items() if key != "differential_privacy"}
    assert config.chain.links == {"dp_image": params}
    assert config.privacy.links() == {}
    assert config.model.normalization == "group"


@pytest.mark.parametrize("unit", ["image", "patient", "hospital"])
@pytest.mark.parametrize("spelt", [str.lower, str.title, str.upper])
def test_units_are_named(unit, spelt):
    given = {"differential_privacy": spelt(unit), "target_epsilon": 8, "target_delta": "1e-6"}
    config = FederatedConfig(privacy=given, federated_learning=STEPS)
    assert config.chain.links == {f"dp_{unit}": {"target_epsilon": 8.0, "target_delta": 1e-6}}
    assert config.model.normalization == ("batch" if unit == "hospital" else "group")


def test_other_protections_are_links_too():
    privacy = {"secure_aggregation": {"threshold": 3}}
    config = FederatedConfig(privacy=privacy, chain={"links": {"clip": {}}})
    assert config.chain.links == {"clip": {}, "secure_aggregation": {"threshold": 3}}
    assert config.model.normalization == "batch"


@pytest.mark.parametrize("said", [True, "ckks", {}])
def test_encryption_is_a_link_however_it_is_asked_for(said):
    assert FederatedConfig(privacy={"encryption": said}).chain.links == {"ckks": {}}
    given = FederatedConfig(privacy={"encryption": {"bound": 0.5}})
    assert given.chain.links == {"ckks": {"bound": 0.5}}
    assert FederatedConfig(privacy={"encryption": False}).chain.links == {}


def test_one_run_has_one_fingerprint(tmp_path):
    short = FederatedConfig(privacy=USUAL, federated_learning=STEPS)
    flat = FederatedConfig(**USUAL, local_steps=5)
    link = {key: value for key, value in USUAL.items() if key != "differential_privacy"}
    whole = FederatedConfig(
        chain={"links": {"dp_image": {**link, "views": 1, "accountant": "rdp"}}},
        local_steps=5,
        normalization="group",
    )
    assert fingerprint(short) == fingerprint(flat) == fingerprint(whole)
    assert differences(short, whole) == []
    write_yaml(tmp_path / "config.yaml", short.model_dump(mode="json"))
    again = FederatedConfig.model_validate(read_yaml(tmp_path / "config.yaml"))
    assert again == short
    other = FederatedConfig(**{**USUAL, "max_grad_norm": 0.6}, local_steps=5)
    assert fingerprint(other) != fingerprint(short)


def test_without_protection_nothing_changes():
    """The fingerprint is that of a run file of medfl 0.1, which had `mechanism` alone."""
    plain = FederatedConfig()
    for privacy in ({"mechanism": "none"}, {"differential_privacy": False}, {}):
        assert fingerprint(FederatedConfig(privacy=privacy)) == fingerprint(plain)
    off = FederatedConfig(privacy={**USUAL, "differential_privacy": False})
    assert off.chain.links == {}
    assert off.model.normalization == "batch"


def test_no_noise_is_a_setting_and_secure_draws_are_one():
    """0 is the reference without privacy, and no missing noise."""
    reference = FederatedConfig(privacy={"differential_privacy": True, "noise_multiplier": 0})
    assert reference.chain.links == {"dp_image": {"noise_multiplier": 0.0}}
    for secure, more in ((True, {"secure": True}), (False, {})):
        privacy = {"differential_privacy": True, "noise_multiplier": 1, "secure": secure}
        links = FederatedConfig(privacy=privacy).chain.links
        assert links == {"dp_image": {"noise_multiplier": 1.0, **more}}


def test_a_run_written_as_what_was_set_is_protected_too():
    config = FederatedConfig(privacy=USUAL, federated_learning=STEPS)
    again = FederatedConfig.model_validate(config.model_dump(exclude_unset=True))
    assert again.chain.links == config.chain.links != {}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"privacy": {"noise_multiplier": 1.0}}, "not what it protects: add differential_privacy"),
        ({"privacy": {"target_epsilon": 3}}, "not what it protects"),
        ({"privacy": {**USUAL, "target_epsilon": 0}}, "greater than 0"),
        ({"privacy": {**USUAL, "noise_multiplier": -1}}, "greater than or equal to 0"),
        ({"privacy": {**USUAL, "differential_privacy": "client"}}, "hospital"),
        ({"privacy": {**USUAL, "differential_privacy": "lesion"}}, "dataset's groups are, such as"),
        ({"privacy": {**USUAL, "differential_privacy": None}}, "write image, patient or hospital"),
        ({"privacy": {**USUAL, "differential_privacy": ["image"]}}, "write image, patient"),
        ({"privacy": {**USUAL, "noise_multiplier": 1e300}}, "a number from 1e-15 to 1e+15"),
        ({"privacy": {**USUAL, "noise_multiplier": 1e-200}}, "a number from 1e-15 to 1e+15"),
        ({"privacy": {**USUAL, "max_grad_norm": 1e300}}, "a number from 1e-15 to 1e+15"),
        ({"privacy": {"secure": True}}, "secure is given, but not what it protects"),
        ({"privacy": {"mechanism": "dp"}}, "none"),
        ({"privacy": {**USUAL, "mechanism": "none"}}, "none, and differential_privacy is on"),
        ({"privacy": {"mechanism": "none", "encryption": {}}}, "none, and encryption is on"),
        ({"privacy": USUAL, "chain": {"links": {"dp_image": {}}}}, "both set the link dp_image"),
        ({"privacy": USUAL, "model": {"normalization": "batch"}}, "batch norm mixes the samples"),
        (
            {"chain": {"links": {"dp_patient": {}}}, "model": {"normalization": "batch"}},
            "dp_patient could not bound",
        ),
    ],
)
def test_what_is_wrong_is_said(content, words):
    with pytest.raises(ValidationError) as error:
        FederatedConfig.model_validate(content)
    assert words in str(error.value)


GRID = {
    "datasets": ["phantom"],
    "partitions": ["iid"],
    "arms_file": None,
    "seeds": [0],
    "run": {"federated_learning": STEPS, "privacy": {"max_grad_norm": 0.7}},
    "arm_settings": {
        "plain": {"algorithm": "fedavg", "privacy": {"differential_privacy": False}},
        "image": {
            "algorithm": "fedavg",
            "privacy": {"differential_privacy": "image", "target_epsilon": 8},
        },
        "bn": {
            "algorithm": "fedbn",
            "layers": "normalization",
            "privacy": {"differential_privacy": "patient", "noise_multiplier": 1},
        },
    },
}


def test_arms_and_grids_have_the_section():
    grid = load_grid({**GRID, "arms": ["plain", "image", "bn"]})
    links = {cell.arm: grid.run_config(cell).chain.links for cell in grid.cells()}
    assert links == {
        "plain": {},
        "image": {"dp_image": {"max_grad_norm": 0.7, "target_epsilon": 8.0}},
        "bn": {"dp_patient": {"max_grad_norm": 0.7, "noise_multiplier": 1.0}},
    }


def test_mechanism_none_switches_an_arm_off_and_is_no_longer_true_of_one_that_protects():
    arms = {
        "plain": {"algorithm": "fedavg", "privacy": {"mechanism": "none"}},
        "masked": {"algorithm": "fedavg", "privacy": {"secure_aggregation": True}},
    }
    content = {**GRID, "num_clients": 5, "arm_settings": arms, "arms": [*arms]}
    for privacy, of_masked in (
        (USUAL, {"dp_image", "secure_aggregation"}),
        ({"mechanism": "none"}, {"secure_aggregation"}),
    ):
        grid = load_grid({**content, "run": {"federated_learning": STEPS, "privacy": privacy}})
        links = {cell.arm: set(grid.run_config(cell).chain.links) for cell in grid.cells()}
        assert links == {"plain": set(), "masked": of_masked}


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        ({"algorithm": "fedbn"}, "set layers: normalization for fedbn"),
        ({"algorithm": "scaffold", "option": 1}, "set option: 2 for scaffold"),
        ({"algorithm": "local"}, "exchanges nothing"),
        ({"algorithm": "fedavg", "training": {"clip_norm": 1}}, "clip_norm"),
        ({"algorithm": "fedavg", "federated_learning": {"local_steps": None}}, "local_steps"),
    ],
)
def test_a_grid_refuses_what_does_not_compose(arm, words):
    from medfl.errors import MedflError

    arms = {"private": {**arm, "privacy": {"differential_privacy": True, "target_epsilon": 3}}}
    with pytest.raises(MedflError) as error:
        load_grid({**GRID, "arms": ["private"], "arm_settings": arms})
    assert words in str(error.value)


CODE = """
import sys
from test_privacy_section import GRID
from medfl.grid import load_grid
load_grid({**GRID, "arms": ["plain", "image", "bn"]})
assert "torch" not in sys.modules and "opacus" not in sys.modules
"""


def test_a_grid_is_checked_without_torch(request):
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=request.path.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (request.path.parents[2],)))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
