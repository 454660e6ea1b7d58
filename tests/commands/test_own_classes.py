"""A person's own algorithm, link or rule that does not fit or fails: one sentence says where."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import sys

import pytest
import yaml
from toy_stores import write_small_phantom

from medfl.algorithms.registry import ALGORITHMS
from medfl.chain.registry import LINKS, RULES
from medfl.cli import main
from medfl.own_class import check_own_class
from medfl.partition.registry import PARTITIONS
from medfl.report.plots.registry import FIGURES

OWN = """
from medfl import FederatedAlgorithm
from medfl.chain import Combination, Link, Rule

class Algorithm(FederatedAlgorithm):
    pass

class Line(Link):
    stage = "clip"

class Add(Rule):
    def start(self):
        from medfl.chain.combine import WeightedSum
        return WeightedSum()
"""
CELL = ("--dataset", "phantom", "--partition", "iid", "--arm", "mine", "--seed", "0")
GRID = {
    "arms_file": None,
    "arm_settings": {"mine": {"algorithm": "my_parts:Algorithm"}},
    "datasets": ["phantom"],
    "partitions": ["iid"],
    "arms": ["mine"],
    "seeds": [0],
    "num_clients": 2,
    "run": {
        "federated_learning": {"rounds": 2, "local_steps": 1},
        "model": {"name": "logistic"},
        "training": {"device": "cpu"},
        "chain": {"links": {"my_parts:Line": {}}, "rule": "my_parts:Add"},
    },
}
ALGORITHM = "class Algorithm(FederatedAlgorithm):\n    pass\n"
LINE = '    stage = "clip"\n'
ADD = "    def start(self):\n        from medfl.chain.combine import WeightedSum\n"
ADD += "        return WeightedSum()\n"


@pytest.fixture
def place(tmp_path, own_module):
    """A working folder with a small store under the phantom's name, its split, and a grid."""
    own_module("my_parts", OWN)
    write_small_phantom(tmp_path)
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(GRID))
    split = "data/splits/phantom/iid/clients2/seed0.csv"
    options = ["--partition", "iid", "--seed", "0", "--num-clients", "2"]
    assert main(["split", "phantom", *options, "--output", split]) == 0
    return tmp_path


def run(place, code=OWN, cell=CELL):
    (place / "my_parts.py").write_text(code)
    return main(["run", "--grid", "grid.yaml", *cell, "--output-dir", "one"])


def changed(old, new):
    assert OWN.count(old) == 1
    return OWN.replace(old, new)


def hook(line):
    """An algorithm with one hook."""
    return changed(ALGORITHM, f"class Algorithm(FederatedAlgorithm):\n    {line}\n")


def link(line):
    """A link with one further line."""
    return changed(LINE, f"{LINE}    {line}\n")


REFUSED = {
    "no stage": (
        changed(LINE, "    pass\n"),
        "the link `my_parts:Line` lacks the class attribute `stage`: it must be 'data', 'grad",
    ),
    "unknown stage": (
        changed('"clip"', '"late"'),
        "`stage` is 'late': it must be 'data', 'gradient', 'clip'",
    ),
    "link's __init__": (
        link("def __init__(self, **params): 1 / 0"),
        "the link `my_parts:Line` cannot be built: ZeroDivisionError: division by zero (in Line._",
    ),
    "forgets super": (
        link("def __init__(self): pass"),
        "the link `my_parts:Line` must call super().__init__(**params) in its __init__",
    ),
    "columns": (link('columns = ("x",)'), "its class attribute `columns` is ('x',): it must be"),
    "idle": (
        link("def idle(self): return False"),
        "the link `my_parts:Line`: write @property above `def idle(self)`.",
    ),
    "link's message": (
        link("def message(self, message): return message"),
        "`message` does not take what it is called with (too many",
    ),
    "link's check": (
        link("def check(self, config, algorithm, links): links[9]"),
        "IndexError: list index out of range (in Line.check, line 10 of my_parts.py).",
    ),
    "rule without start": (
        changed(ADD, "    pass\n"),
        "lacks `start`, which every rule must have: write `def start(self)`.",
    ),
    "rule's check": (
        changed(ADD, f"{ADD}    def check(self): pass\n"),
        "write `def check(self, config, algorithm)`.",
    ),
    "algorithm's __init__": (
        hook("def __init__(self): raise ValueError('no')"),
        "cannot be built: ValueError: no (in Algorithm.__init__, line 6 of my_parts.py).",
    ),
    "step": (
        hook("def step(self): pass"),
        "(too many positional arguments): write `def step(self, total)`.",
    ),
    "no method": (hook("step = 3"), "`step` must be a method: write `def step(self, total)`."),
    "evaluated": (
        hook("evaluated = 'both'"),
        "`evaluated` is 'both': it must be 'global', 'personal' or 'local'.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_class_that_does_not_fit_is_refused_before_anything_is_written(place, capsys, name):
    code, message = REFUSED[name]
    capsys.readouterr()
    assert run(place, code) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not (place / "one").exists()


FAILING = {
    "step": (
        hook("def step(self, total): total['gone']"),
        "run.log has the traceback): KeyError: 'gone' (in Algorithm.step, line 6 of my_parts.py).",
    ),
    "link": (
        link("def message(self, client, message): return message.nothing"),
        "(in Line.message, line 10 of my_parts.py).",
    ),
    "combination": (
        changed(ADD, "    def start(self): return Combination()\n"),
        "Combination with abstract methods add, total (in Add.start, line 12 of my_parts.py).",
    ),
    "end of the process": (  # a status of 0 would say that all went well
        hook("def step(self, total): raise SystemExit(0)"),
        "run.log has the traceback): SystemExit: 0 (in Algorithm.step, line 6 of my_parts.py).",
    ),
    "link gives a text": (
        link("def message(self, client, message): return 'text'"),
        "`message` of the link `my_parts:Line` gave str, but needed is a Message, or None where",
    ),
    "algorithm gives a text": (
        hook("def message(self, client, model, work): return 'text'"),
        "`message` of the algorithm `my_parts:Algorithm` gave str, but needed is a dictionary of",
    ),
    "algorithm gives no part": (
        hook("def message(self, client, model, work): return {'x': 1}"),
        "`message` of the algorithm `my_parts:Algorithm`, as `x`, gave int, but needed is a Part.",
    ),
    "no work": (
        hook("def train(self, client, model): pass"),
        "`train` of the algorithm `my_parts:Algorithm` gave NoneType, but needed is a Work",
    ),
    "nobody": (
        link("def open(self, number, clients): pass"),
        "`open` of the link `my_parts:Line` gave NoneType, but needed is a list of clients' ids.",
    ),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_class_that_fails_while_a_run_trains_is_one_sentence(place, capsys, name):
    code, message = FAILING[name]
    assert run(place, code) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert error.count("medfl: error:") == 1
    log = (place / "one" / "run.log").read_text()
    # What medfl itself refuses needs no traceback; what a class raised has its own in the log.
    assert ("Traceback" in log) == ("gave" not in message or "has the traceback" in message)
    assert not (place / "one" / "metrics.json").exists()


def test_a_class_that_fails_before_the_first_round_is_one_sentence_too(place, capsys):
    assert run(place, hook("def setup(self, server): server.nothing")) == 2
    error = capsys.readouterr().err
    assert "(in Algorithm.setup, line 6 of my_parts.py)." in error
    assert "Traceback" not in error


def test_a_failure_of_medfl_itself_keeps_its_traceback(place, monkeypatch):
    (place / "grid.yaml").write_text(
        yaml.safe_dump(
            {
                **GRID,
                "arm_settings": {"mine": {"algorithm": "fedavg"}},
                "run": {**GRID["run"], "chain": {}},
            }
        )
    )
    # No function of this file: it would be a person's own code, of which one sentence is said.
    monkeypatch.setattr(ALGORITHMS.load("fedavg"), "step", 3)
    with pytest.raises(TypeError, match="not callable"):
        run(place)


def test_a_class_that_leaves_the_folder_ends_the_run(place, capsys):
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    assert run(place, hook(f"def step(self, total): import os; os.chdir({str(elsewhere)!r})")) == 2
    assert "changed the current folder (os.chdir) while a run trained" in capsys.readouterr().err
    assert not list(elsewhere.iterdir())
    assert os.getcwd() == str(place)
    assert not (place / "one" / "metrics.json").exists()


def test_what_a_class_draws_from_the_whole_process_is_the_same_again(place):
    draws = "import random, numpy, torch; "
    draws += "self.drawn = random.random(), numpy.random.rand(), torch.rand(1).item()"
    keep = "open('drawn', 'a').write(repr(self.drawn) + chr(10))"
    code = hook(f"def step(self, total): {draws}; {keep}; super().step(total)")
    for _ in range(2):
        assert run(place, code) == 0
        shutil.rmtree(place / "one")
    first, second, *again = (place / "drawn").read_text().splitlines()
    assert first != second  # the two rounds of a run
    assert again == [first, second]


def test_what_a_link_draws_before_anything_trains_is_the_same_again(place):
    """In one process, whose generator of PyTorch the first run leaves elsewhere."""
    draw = "import torch; open('drawn', 'a').write(repr(torch.rand(1).item()) + chr(10))"
    code = link(f"def open(self, number, clients): {draw}; return clients")
    for _ in range(2):
        assert run(place, code) == 0
        shutil.rmtree(place / "one")
    first, second, *again = (place / "drawn").read_text().splitlines()
    assert first != second
    assert again == [first, second]


@pytest.mark.parametrize("error", [SystemExit(0), ValueError("Doe"), BaseException("Doe")])
def test_what_nobody_has_foreseen_of_own_code_is_one_sentence(monkeypatch, capsys, error):
    def own(_):  # this file is no part of medfl, as a person's is not
        raise error

    monkeypatch.setattr("medfl.commands.status.status", own)
    assert main(["status"]) == 2
    said = capsys.readouterr().err
    kind = type(error).__name__
    assert re.fullmatch(
        rf"medfl: error: your own code failed: {kind} \(in .*own, line [0-9]+ of "
        r"test_own_classes\.py\)\. What it says is not repeated, as it may quote the data: run "
        r"your code by itself to see it\.\n",
        said,
    )


def test_a_class_may_name_its_arguments_as_it_likes(place):
    code = link("def gradient(self, c, m, x, y, f): return f(x, y)")
    code = code.replace(ALGORITHM, ALGORITHM.replace("pass", "def step(self, t): super().step(t)"))
    assert run(place, code) == 0
    record = json.loads((place / "one" / "metrics.json").read_text())
    assert (record["status"], record["rounds"]) == ("completed", 2)


@pytest.mark.parametrize(
    "registry", [ALGORITHMS, LINKS, RULES, PARTITIONS, FIGURES], ids=lambda one: one.what
)
def test_every_built_in_class_would_pass_as_ones_own(registry):
    module, attribute = registry.base.split(":")
    __import__(module)
    base = getattr(sys.modules[module], attribute)
    for name in registry:
        kind = registry.load(name)
        assert not inspect.isabstract(kind)
        check_own_class(registry.what, name, kind, base)


PARTITION = """
from medfl.partition import Partition, Value

class Lead(Partition):
    value = Value("part", "0.5")
"""


DATA = """
from medfl import CustomMedicalDataset

class Lungs(CustomMedicalDataset):
    def load_data(self):
        return []
"""


@pytest.mark.parametrize("point", [":", "."])
def test_a_run_is_named_with_a_colon_or_a_dot(place, capsys, point):
    """The folders have a dot; the grid is written with a colon."""
    (place / "my_lead.py").write_text(PARTITION)
    grid = {**GRID, "datasets": ["my_data:Lungs"], "partitions": ["my_lead:Lead-0.5"]}
    (place / "grid.yaml").write_text(yaml.safe_dump(grid))
    (place / "my_data.py").write_text(DATA)
    words = ("--dataset", f"my_data{point}Lungs", "--partition", f"my_lead{point}Lead-0.5")
    try:
        assert run(place, cell=(*words, *CELL[4:])) == 2
    finally:
        for module in ("my_lead", "my_data"):
            sys.modules.pop(module, None)
    # The run is known; only its store is not prepared yet.
    error = capsys.readouterr().err
    assert "has no run" not in error
    assert "data/prepared/my_data.Lungs" in error
