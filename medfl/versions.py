"""The code that a result comes from, by its results versions or by the hash of its sources.

Everything that takes part in a result has a results version: a whole number that is raised exactly
when its golden files change (tests/goldens.py). `stamp.json` holds the hashes of the sources that
the golden test has passed on (`make stamp`). While the sources of a result are those, its results
versions say which numbers it has: neither a new feature nor an edited comment makes it stale. Where
one of its sources differs from the stamp, the hash of all of them counts instead, so nobody who
edits an algorithm gets numbers from before.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from medfl.files import read_json, sha256_file
from medfl.registry import Registry
from medfl.sources import digest, hashes, imported, with_imports

STAMP = Path(__file__).with_name("stamp.json")


@dataclass(frozen=True)
class Code:
    """The code that a result comes from.

    Attributes:
        sha: SHA-256 over the names and contents of all its sources.
        versions: their results versions, such as ``engine 1, algorithm fedavg 1``, and the hashes
            of a person's own files; None where a source is not as the golden test knows it.
    """

    sha: str
    versions: str | None

    @property
    def identity(self) -> str:
        """What a result is compared by: where it differs, the result is made again."""
        return self.versions or self.sha

    def same_numbers(self, other: Code) -> bool:
        """Whether both give the same numbers: they have the same sources or results versions."""
        return self.sha == other.sha or (
            self.versions is not None and self.versions == other.versions
        )


@lru_cache  # thousands of runs of a grid have the same few
def code_of(
    roots: tuple[str, ...], shared: tuple[str, int], named: tuple[tuple[Registry[Any], str], ...]
) -> Code:
    """The code of a result.

    Args:
        roots: modules and packages of medfl that take part in it, with all that they import.
        shared: the part that is in no registry, with its results version: ``("engine", 1)``.
        named: the registry and the name of each class that the configuration names.

    Raises:
        MedflError: a name is unknown, or a person's own class cannot be loaded.
    """
    found = [registry.sources(name) for registry, name in named]
    files = [path for one in found for path in one.files]
    # A person's own file may build on anything of medfl's that it imports.
    scripts = [path for path in files if path.suffix == ".py"]
    below = [module for path in scripts for module in imported(path)]
    modules = hashes([*roots, *(module for one in found for module in one.modules), *below])
    sha = digest(modules, files)
    stamp = read_stamp()
    if any(stamp.get(module) != one for module, one in modules.items()):
        return Code(sha, None)
    versions, used = dict([shared]), with_imports(below)
    for registry, name in named:
        versions |= registry.versions([name] if name in registry else registry.written_in(used))
    own = [f"{path.name} {sha256_file(path)[:16]}" for path in files]
    return Code(sha, ", ".join([*(f"{word} {number}" for word, number in versions.items()), *own]))


def read_stamp(path: Path | None = None) -> dict[str, str]:
    """Module → SHA-256 of its file when the golden test passed; empty where there is no stamp."""
    return read_json(path or STAMP)  # without a stamp every source counts as edited
