"""Which numbers each results version stands for: tests/golden/versions.json.

For each golden file it holds, oldest first, the results versions of what takes part in the file and
the hash of the numbers that they gave. So a test can tell, without git, that a version was raised
exactly when numbers changed.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import goldens
from stamp import REGISTRIES

from medfl.federated.code import ENGINE
from medfl.files import write_json
from medfl.partition.code import SPLIT

FILE = Path(__file__).parent / "golden" / "versions.json"
# What has no name in the configuration: where its version stands.
SHARED = {
    "engine": "ENGINE in medfl/federated/code.py",
    "split": "SPLIT in medfl/partition/code.py",
}

History = dict[str, dict[str, str]]  # golden file → versions, such as "engine 1" → SHA-256


def current() -> dict[str, int]:
    """All results versions as the sources have them."""
    versions = {"engine": ENGINE, "split": SPLIT}
    for registry in REGISTRIES:
        versions |= registry.versions(registry)
    return versions


def home(item: str) -> str:
    """Where a results version is raised, in words."""
    if item in SHARED:
        return SHARED[item]
    registry = next(one for one in REGISTRIES if one.what == item.split(" ")[0])
    # A registry need not lie in the package of its classes: links come from several rooms.
    module = next(
        name
        for name, module in sys.modules.items()
        if name.endswith(".registry") and any(one is registry for one in vars(module).values())
    )
    return f"results_versions in {module.replace('.', '/')}.py"


def read() -> History:
    """The history; empty where there is none yet."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def write(history: History) -> None:
    """Write the history, golden files by name."""
    write_json(FILE, dict(sorted(history.items())))


def key(name: str, versions: Mapping[str, int]) -> str:
    """The versions of what takes part in a golden file, such as ``engine 1, model cnn 1``."""
    return ", ".join(f"{item} {versions[item]}" for item in sorted(goldens.covers(name)))


def parsed(text: str) -> dict[str, int]:
    """The versions in a key of the history."""
    pairs = (part.rsplit(" ", 1) for part in text.split(", "))
    return {item: int(number) for item, number in pairs}


def sha(golden: Mapping[str, Any]) -> str:
    """The hash of a golden file's numbers, without the machine that gave them."""
    numbers = {key: value for key, value in golden.items() if key != "machine"}
    return hashlib.sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()


def supports(name: str, item: str) -> bool:
    """Whether other numbers in a golden file are a reason to raise the version of ``item``."""
    covered = goldens.covers(name)
    return covered[0] == item or (item in SHARED and item in covered)


def complaints(
    history: History, versions: Mapping[str, int], shas: Mapping[str, str]
) -> Iterator[str]:
    """What is wrong between golden files, their history and the versions in the sources.

    Args:
        history: the committed one.
        versions: the versions in the sources, as ``current`` gives them.
        shas: the hash of the numbers in each golden file.
    """
    for name, found in shas.items():
        if not history.get(name):
            yield f"{name} has no history: run `make golden`"
            continue
        last, known = list(history[name].items())[-1]
        if last != key(name, versions):
            yield f"{name} was made with {last}, and now there are {key(name, versions)}"
        if found != known:
            yield f"the numbers of {name} are not those of {last}: only `make golden` writes them"
    raised, reasons = set(), set()
    for name, entries in history.items():
        for (old, old_sha), (new, new_sha) in pairwise(entries.items()):
            before, after = parsed(old), parsed(new)
            higher = {(item, n) for item, n in after.items() if n > before.get(item, n)}
            lower = [item for item, n in after.items() if n < before.get(item, n)]
            if lower or not higher:
                yield f"{name}: {new} follows {old}"
            raised |= higher
            if new_sha != old_sha:
                reasons |= {(item, n) for item, n in higher if supports(name, item)}
    for item, number in sorted(raised - reasons):
        yield f"{item} was raised to {number}, and none of its numbers changed"
