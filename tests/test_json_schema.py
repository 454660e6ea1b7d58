"""The schemas by which editors check YAML files: up to date, named there, and strict on typos."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from medfl import cli
from medfl.algorithms import ALGORITHMS
from medfl.config import FederatedConfig, validate
from medfl.datasets.described.schema import Description
from medfl.errors import MedflError
from medfl.grid import load_grid

ROOT = Path(__file__).parents[1]
KINDS = ("grid", "arms", "run", "dataset")
FIRST_LINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")
FILES = sorted((ROOT / "params").rglob("*.yaml"))
PAGES = [ROOT / "README.md", ROOT / "params/datasets/README.md"]
GRID = {
    "arms_file": None,
    "arm_settings": {"prox": {"algorithm": "fedprox", "mu": 0.1, "training": {"momentum": 0.9}}},
    "datasets": ["phantom", "ham10000-64"],
    "partitions": ["iid", "dirichlet-1e-2", "site-dirichlet-0.5"],
    "arms": ["prox"],
    "seeds": [0, 1],
    "run": {"federated_learning": {"rounds": 3}, "model": {"name": "resnet18"}},
    "dataset_settings": {"phantom": {"num_clients": 3, "training": {"batch_size": 8}}},
}


def schema(kind: str) -> dict:
    return json.loads((ROOT / f"schemas/{kind}.json").read_text(encoding="utf-8"))


def problems(kind: str, content: object) -> list[str]:
    found = jsonschema.Draft7Validator(schema(kind)).iter_errors(content)
    return [error.message for error in found]


def test_they_are_up_to_date(tmp_path):
    assert cli.main(["schema", "--output-dir", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{k}.json" for k in KINDS)
    assert {path.name for path in (ROOT / "schemas").iterdir()} == {f"{k}.json" for k in KINDS}
    for kind in KINDS:
        jsonschema.Draft7Validator.check_schema(schema(kind))
        written = (tmp_path / f"{kind}.json").read_text(encoding="utf-8")
        committed = (ROOT / f"schemas/{kind}.json").read_text(encoding="utf-8")
        assert written == committed, "run `medfl schema`, and commit schemas/"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_params_file_names_its_schema_and_keeps_it(path):
    text = path.read_text(encoding="utf-8")
    first = FIRST_LINE.match(text)
    assert first, "the first line names the schema"
    named = (path.parent / first[1]).resolve()
    assert named.parent == ROOT / "schemas"
    assert problems(named.stem, yaml.safe_load(text)) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.parent.name)
def test_the_examples_of_the_pages_keep_theirs(path):
    blocks = re.findall(r"```yaml\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    named = [(FIRST_LINE.match(text), text) for text in blocks if FIRST_LINE.match(text)]
    assert named
    for first, text in named:
        target = (path.parent / first[1]).resolve()
        target = ROOT / "schemas" / target.name
        assert target.exists()
        assert problems(target.stem, yaml.safe_load(text)) == []


def changed(content: dict, path: str, value: object) -> dict:
    """A deep copy with one key set, by its path; ``…`` takes it away."""
    copy = json.loads(json.dumps(content))
    *above, last = path.split("/")
    inner = copy
    for key in above:
        inner = inner.setdefault(key, {})
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("num_client", 3),
        ("num_clients", 0),
        ("seeds", ["a"]),
        ("arms", ...),
        ("datasets", []),
        ("partitions", ["dirichlt-0.5"]),
        ("partitions", ["dirichlet"]),
        ("partitions", ["iid-3"]),
        ("run/trainign", {}),
        ("run/training/learnign_rate", 0.1),
        ("run/training/learning_rate", 0),
        ("run/training/optimizer", "sdg"),
        ("run/model/name", "rsnet18"),
        ("run/federated_learning/algorithm", "fedavg"),
        ("run/federated_learning/num_clients", 3),
        ("run/augmentation/rotation", 200),
        ("dataset_settings/phantom/num_client", 3),
        ("arm_settings/prox/nu", 0.1),
        ("arm_settings/prox/mu", -1),
        ("arm_settings/prox/algorithm", "fedprx"),
        ("arm_settings/prox/algorithm", ...),
        ("arm_settings/prox/training/momentun", 0.5),
    ],
)
def test_a_mistake_in_a_grid_is_one_for_the_editor_and_for_medfl(path, value):
    assert problems("grid", GRID) == []
    load_grid(GRID)
    wrong = changed(GRID, path, value)
    assert problems("grid", wrong)
    with pytest.raises(MedflError):
        load_grid(wrong)


RUN = {
    "dataset": "phantom",
    "partition": "site",
    "seed": 1,
    "federated_learning": {"algorithm": "fedprox", "algorithm_params": {"mu": 0.1}},
    "model": {"name": "cnn", "normalization": "group"},
    "split": {"val_fraction": 0.1},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("sed", 1),
        ("partition", "sites"),
        ("split/val_fractoin", 0.1),
        ("model/name", "cnnn"),
        ("federated_learning/algorithm", "fedprx"),
        ("federated_learning/algorithm_params/nu", 0.1),
        ("federated_learning/algorithm_params/mu", -1),
        ("privacy/mechanism", "hope"),
    ],
)
def test_a_mistake_in_a_run_file_is_one_for_the_editor(path, value):
    assert problems("run", RUN) == []
    assert validate(FederatedConfig, RUN, "run.yaml").partition == "site"
    assert problems("run", changed(RUN, path, value))


def test_hyper_parameters_are_those_of_the_algorithm_even_if_it_is_not_named():
    assert problems("run", {"federated_learning": {"algorithm_params": {}}}) == []
    assert problems("run", {"federated_learning": {"algorithm_params": {"mu": 1}}})
    for name in ALGORITHMS:
        fields = ALGORITHMS.load(name).Params.model_fields
        values = {key: field.default for key, field in fields.items()}
        assert problems("arms", {"arm": {"algorithm": name, **values}}) == []
        assert problems("arms", {"arm": {"algorithm": name, **values, "no_such_key": 1}})


@pytest.mark.parametrize(
    ("chain", "right"),
    [
        ({"links": {"clip": {"norm": 1.0}, "quantize": None}}, True),
        ({"links": {"my_links:Mine": {"x": 1}}, "rule": "my_rules:Mine"}, True),
        ({"rule": "median"}, True),
        ({"links": {"clap": {"norm": 1.0}}}, False),
        ({"links": {"clip": {"nrom": 1.0}}}, False),
        ({"links": {"clip": {"norm": -1.0}}}, False),
        ({"rule": "medain"}, False),
        ({"rule": "median", "rule_params": {"x": 1}}, False),
        ({"rule_params": {"x": 1}}, False),
        ({"rul": "median"}, False),
    ],
)
def test_links_and_rules_are_checked_with_their_parameters(chain, right):
    assert (problems("run", {"chain": chain}) == []) is right
    assert (problems("arms", {"arm": {"algorithm": "fedavg", "chain": chain}}) == []) is right


def test_a_persons_own_classes_are_taken():
    run = changed(RUN, "model/name", "my_nets:Net")
    run = changed(run, "model/params", {"width": 3})
    run = changed(run, "partition", "my_parts:Lead-0.7")
    run["federated_learning"] = {"algorithm": "my.algorithms:Half", "algorithm_params": {"x": 1}}
    assert problems("run", run) == []
    arm = {"algorithm": "my.algorithms:Half", "x": 1, "model": {"name": "my_nets:Net"}}
    assert problems("arms", {"half": arm}) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [("tables", "x.csv"), ("columns/lable", "x"), ("size", "large"), ("labels/levels", 1)],
)
def test_a_mistake_in_a_description_is_one_for_the_editor_and_for_medfl(path, value):
    content = {
        "folder": "xray",
        "table": "labels.csv",
        "columns": {"label": ["a", "b"], "patient": "who"},
        "labels": {"map": {"a": "x"}},
        "modality": "xray",
    }
    assert problems("dataset", content) == []
    validate(Description, content, "x.yaml")
    wrong = changed(content, path, value)
    assert problems("dataset", wrong)
    with pytest.raises(MedflError):
        validate(Description, wrong, "x.yaml")
