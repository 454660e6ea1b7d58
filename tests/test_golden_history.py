"""Golden files are renewed with a raised results version and a line in the changelog, or not."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import golden_history
import goldens
import pytest
import renew

import medfl
from medfl.registry import Registry

ONE = {"engine": 1, "algorithm fedavg": 1, "algorithm fedprox": 1, "model cnn": 1}
AVG, PROX, ADAM, CNN = "algorithm-fedavg", "algorithm-fedprox", "engine-adam", "model-cnn"
NAMES = (AVG, PROX, ADAM, CNN)


def history(*states: tuple[dict[str, int], dict[str, str]]) -> golden_history.History:
    """A history from results versions and the numbers of each file, oldest first."""
    entries: golden_history.History = {name: {} for name in NAMES}
    for versions, shas in states:
        for name in NAMES:
            entries[name].setdefault(golden_history.key(name, ONE | versions), shas[name])
    return entries


def numbers(**changes: str) -> dict[str, str]:
    """The hashes of four golden files, of which some are others than "a"."""
    return {name: changes.get(name.replace("-", "_"), "a") for name in NAMES}


START = ({}, numbers())


def complaints(states, versions, shas):
    return list(golden_history.complaints(history(*states), ONE | versions, shas))


def test_nothing_changed():
    assert complaints([START], {}, numbers()) == []


def test_numbers_that_change_want_a_raised_version():
    [said] = complaints([START], {}, numbers(algorithm_fedprox="b"))
    assert "the numbers of algorithm-fedprox are not those of algorithm fedprox 1, engine 1" in said


def test_a_version_that_is_raised_wants_other_numbers():
    assert all("there are" in line for line in complaints([START], {"engine": 2}, numbers()))
    assert complaints([START, ({"engine": 2}, numbers())], {"engine": 2}, numbers()) == [
        "engine was raised to 2, and none of its numbers changed"
    ]


@pytest.mark.parametrize(
    ("raised", "changed"),
    [
        ({"algorithm fedprox": 2}, {"algorithm_fedprox": "b"}),
        # An optimiser that one file uses, and a change that every file shows.
        ({"engine": 2}, {"engine_adam": "b"}),
        ({"engine": 2}, {name.replace("-", "_"): "b" for name in NAMES}),
        # FedAvg is what the engine's and the models' files train with.
        ({"algorithm fedavg": 2}, {"algorithm_fedavg": "b", "engine_adam": "b", "model_cnn": "b"}),
        ({"algorithm fedprox": 2, "model cnn": 2}, {"algorithm_fedprox": "b", "model_cnn": "b"}),
    ],
)
def test_a_version_raised_for_what_changed(raised, changed):
    shas = numbers(**changed)
    assert complaints([START, (raised, shas)], raised, shas) == []
    renewed = [name for name in NAMES if shas[name] != "a"]
    lines = "".join(f"- {item}, results version 2: why\n" for item in raised)
    changelog = f"# Changelog\n\n## Unreleased\n\n{lines}\n## 0.1.0\n"
    assert renew.refusal(history(START), ONE | raised, renewed, changelog) is None
    # Without the line, and with one that stands under a release.
    for text in ("", "## Unreleased\n", f"## Unreleased\n\n## 0.1.0\n\n{lines}"):
        said = renew.refusal(history(START), ONE | raised, renewed, text)
        assert said
        assert "add a line under Unreleased" in said


def test_an_engine_change_does_not_pass_for_one_of_fedavg():
    shas = numbers(engine_adam="b")
    raised = {"algorithm fedavg": 2}
    assert complaints([START, (raised, shas)], raised, shas) == [
        "algorithm fedavg was raised to 2, and none of its numbers changed"
    ]


def test_a_version_is_never_lowered_and_never_reused():
    two = ({"engine": 2}, numbers(engine_adam="b"))
    assert any("follows" in line for line in complaints([two, START], {}, numbers()))
    assert "it is only ever raised, by one" in str(renew.refusal(history(two), ONE, [ADAM], ""))
    assert "by one" in str(renew.refusal(history(START), ONE | {"engine": 3}, [ADAM], ""))


def test_a_renewal_that_is_refused_says_why():
    said = renew.refusal(history(START), ONE, [PROX], "")
    assert said == (
        "the numbers of algorithm-fedprox changed: raise the results version of algorithm fedprox "
        "(results_versions in medfl/algorithms/registry.py) or of engine (ENGINE in "
        "medfl/federated/code.py)."
    )
    said = renew.refusal(history(START), ONE | {"model cnn": 2}, [], "")
    assert said == "model cnn was raised to 2, but none of its numbers changed."


def test_a_new_golden_file_wants_a_history():
    entries = history(START)
    del entries[CNN]
    assert list(golden_history.complaints(entries, ONE, numbers())) == [
        "model-cnn has no history: run `make golden`"
    ]


def test_sizes_of_differences():
    golden = {"a": [1.0, 2.0], "b": {"sha256": "x", "n": 4}, "c": "word"}
    assert renew.size(golden, {**golden, "a": [1.0, 2.5], "b": {"sha256": "y", "n": 5}}) == (
        "2 numbers, at most 1.0e+00 (relative 2.0e-01)"
    )
    assert renew.size(golden, {**golden, "c": "other"}) == "1 entries of another form"


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two golden files of the test's own, and the numbers that a run would give."""
    given = {AVG: {"x": [1.0, 0.1]}, PROX: {"x": [2.0, 0.2]}}
    versions = dict(ONE)
    monkeypatch.setattr(goldens, "FOLDER", tmp_path)
    monkeypatch.setattr(golden_history, "FILE", tmp_path / "versions.json")
    monkeypatch.setattr(renew, "CHANGELOG", tmp_path / "CHANGELOG.md")
    monkeypatch.setattr(goldens, "names", lambda: list(given))
    monkeypatch.setattr(goldens, "run", lambda name: json.loads(json.dumps(given[name])))
    monkeypatch.setattr(golden_history, "current", lambda: versions)
    assert renew.main() is None
    return tmp_path, given, versions


def test_renewing(files, capsys):
    folder, given, versions = files
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert renew.main() is None
    given[PROX]["x"][1] = 0.25
    assert "raise the results version" in str(renew.main())
    versions["algorithm fedprox"] = 2
    assert "CHANGELOG.md" in str(renew.main())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (folder / "CHANGELOG.md").write_text(
        "## Unreleased\n\n- FedProx, results\n  version 2: its pull is stronger.\n"
    )
    capsys.readouterr()
    assert renew.main() is None
    assert "algorithm-fedprox: 1 numbers, at most 5.0e-02 (relative 2.0e-01)" in (
        capsys.readouterr().out
    )
    assert goldens.read(PROX)["x"] == [2.0, 0.25]
    assert (folder / f"{AVG}.json").read_bytes() == before[f"{AVG}.json"]
    assert list(golden_history.read()[PROX]) == [
        "algorithm fedprox 1, engine 1",
        "algorithm fedprox 2, engine 1",
    ]


def test_another_machine_changes_nothing_by_its_last_bits(files, monkeypatch):
    folder, given, _ = files
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(goldens, "machine", lambda: {"processor": "another"})
    given[AVG]["x"][1] += 1e-12
    assert renew.main() is None
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_every_registry_that_decides_numbers_is_known():
    room = Path(medfl.__file__).parent
    found = []
    for path in sorted(room.glob("*/registry.py")):
        module = importlib.import_module(f"medfl.{path.parent.name}.registry")
        found += [value for value in vars(module).values() if isinstance(value, Registry)]
    # A dataset's reader decides its store, whose content every run's record names by itself.
    names = {one.what for one in found} - {"dataset"}
    assert names == {one.what for one in golden_history.REGISTRIES}


@pytest.mark.parametrize(
    ("item", "file"),
    [
        ("link clip", "medfl/chain/registry.py"),
        ("rule median", "medfl/chain/registry.py"),
        ("algorithm fedavg", "medfl/algorithms/registry.py"),
        ("model cnn", "medfl/models/registry.py"),
        ("partition iid", "medfl/partition/registry.py"),
        ("engine", "medfl/federated/code.py"),
        ("split", "medfl/partition/code.py"),
    ],
)
def test_the_file_in_which_a_version_is_raised(item, file):
    assert golden_history.home(item).split(" in ")[1] == file
    assert (Path(medfl.__file__).parents[1] / file).exists()


def test_a_new_link_or_rule_needs_no_parameters_of_its_own(monkeypatch):
    """It then runs under its defaults: eight bits lose less than the four of the golden file."""
    monkeypatch.setattr(goldens, "LINK", {})
    lost = goldens.run("link-quantize")["rounds"][1]["quantization_error"]
    assert 0 < lost < goldens.read("link-quantize")["rounds"][1]["quantization_error"]
    assert goldens.run("rule-median")["rounds"]
