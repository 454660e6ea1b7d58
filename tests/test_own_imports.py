"""Which files of a person's own count beside the one in which a class is written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from medfl.algorithms.registry import ALGORITHMS
from medfl.config import FederatedConfig
from medfl.federated.code import run_code
from medfl.own_imports import with_own_imports
from medfl.versions import code_of

FILES = {
    "own.py": "import numpy\nimport json\nfrom helper import FACTOR\nfrom medfl import chain\n",
    "helper.py": "def f():\n    import deeper as d\n\nFACTOR = 1\n",
    "deeper.py": "import own\nfrom missing import x\n",
    "unused.py": "",
    "room/__init__.py": "",
    "room/one.py": "from . import two\nfrom .inner.three import x\nfrom room.inner import *\n",
    "room/two.py": "from .one import x as y\n",
    "room/inner/__init__.py": "from room import four\n",
    "room/inner/three.py": "try:\n    from ..five import x\nexcept ImportError:\n    x = 0\n",
    "room/four.py": "import elsewhere.six\n",
    "room/five.py": "this is no Python\n",
    "room/unused.py": "",
    "path/elsewhere/six.py": "",
    "env/lib/site-packages/installed.py": "import helper\n",
    "uses_installed.py": "import installed\nimport medfl.grid\nimport torch\n",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name, text in FILES.items():
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    mine = tmp_path / "mine"
    extra = [str(mine / "path"), str(mine / "env/lib/site-packages")]
    monkeypatch.setattr(sys, "path", [*sys.path, *extra])
    return mine


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("own.py", "own.py helper.py deeper.py"),  # a circle ends
        (
            "room/one.py",
            "room/one.py room/__init__.py room/two.py room/inner/__init__.py room/inner/three.py "
            "room/four.py room/five.py path/elsewhere/six.py",
        ),
        ("uses_installed.py", "uses_installed.py"),
    ],
)
def test_imports_are_followed_to_own_files(folder, file, expected):
    found = [path.relative_to(folder).as_posix() for path in with_own_imports([folder / file])]
    assert found[0] == file
    assert sorted(found) == sorted(expected.split())


OWN = """
from own_help.rates import RATE
from medfl.algorithms.fedavg import FedAvg


class Mine(FedAvg):
    def step(self, total):
        self.server.move_to(total["parameters"].mean, RATE)
"""


def test_an_edit_of_an_imported_module_makes_a_run_stale(tmp_path, monkeypatch):
    (tmp_path / "own_help").mkdir()
    (tmp_path / "own_alg.py").write_text(OWN)
    (tmp_path / "own_help" / "rates.py").write_text("RATE = 0.5\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def identity() -> str:
        code_of.cache_clear()
        return run_code(FederatedConfig(algorithm="own_alg:Mine")).identity

    try:
        files = ALGORITHMS.sources("own_alg:Mine").files
        assert files == (Path("own_alg.py").resolve(), Path("own_help/rates.py").resolve())
        before = identity()
        assert identity() == before
        (tmp_path / "own_help" / "rates.py").write_text("RATE = 0.4\n")
        assert identity() != before
    finally:
        code_of.cache_clear()
        for name in ("own_alg", "own_help", "own_help.rates"):
            sys.modules.pop(name, None)
