"""Reading YAML and JSON files with clear errors, and hashing files."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from medfl.errors import MedflError, failure

_TURNED = [f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "timestamp")]
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)$")
_DECIMAL = re.compile(
    r"([-+]?(0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
)
_NUMBER = re.compile(  # as `!!float 3` may be written
    r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$|" + _DECIMAL.pattern
)

_QUOTED = re.compile(r"['\"]([^'\"]*)['\"]")
_SYMBOL = re.compile(r"<[a-z ]+>|[^\w\s]{1,3}")  # such as '<block end>', ','


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """Read a YAML file; a missing file or a syntax error is a ``MedflError`` naming the line."""
    path = Path(path)
    try:
        return pickle.loads(_parsed(path.read_text(encoding="utf-8-sig")))
    except FileNotFoundError as error:
        raise MedflError(f"{path} does not exist.") from error
    except OSError as error:
        raise MedflError(f"{path} cannot be read ({error.strerror}): name a YAML file.") from error
    # Also `!!int abc`, what is no UTF-8, and hundreds of brackets in one another.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise MedflError(f"{path} is not valid YAML: {_damage(error)}.") from error


@lru_cache(maxsize=8)
def _parsed(text: str) -> bytes:
    """What a YAML text says, packed: it is built anew for each who reads it.

    Jobs that are forked from one process find there what it has read of the grid before them.
    """
    return pickle.dumps(yaml.load(text, _Loader))


def _damage(error: Exception) -> str:
    """Say what is wrong in a YAML file and where, without the words that stand there.

    A description holds names of folders and labels, and with them perhaps those of people.
    """
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return failure(error)
    mark = error.problem_mark
    problem = str(error.problem)
    if not all(map(_SYMBOL.fullmatch, _QUOTED.findall(problem))) or problem.count("'") % 2:
        problem = re.split(r"(?:, but (?:found|got) )?['\"]", problem)[0]
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem.strip()}"


def parse_json(text: str) -> Any:
    """Parse JSON; whatever is wrong with it is a ``ValueError``, endless brackets too."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it holds brackets in one another without end") from None


def load_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file; ``OSError`` where it cannot be read, ``ValueError`` where it is none."""
    return parse_json(Path(path).read_text(encoding="utf-8"))


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the object that a JSON file holds; empty where there is none, or it is damaged."""
    try:
        content = load_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


class _Loader(yaml.SafeLoader):
    """YAML whose values are what a person wrote.

    A key that stands twice in a mapping is refused, where YAML would forget the first. What YAML
    1.1 makes a number or a day of stays the text that it is: `010` (8), `1_000`, `0x10`, `12:30`
    (750), `2024-01-30`. Where a number is meant, `medfl.config` refuses it. So does this class
    where the file itself says that a number is meant: `!!int 010`.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 (the base class has it as a variable)
        first: [(tag, pattern) for tag, pattern in pairs if tag not in _TURNED]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError):  # such as `!!int abc`
            problem = "a value does not suit its tag"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    problem = "a key stands there a second time"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _number(loader: _Loader, node: yaml.ScalarNode) -> Any:
    text = loader.construct_scalar(node)
    whole = node.tag == _TURNED[0]
    if not (_WHOLE if whole else _NUMBER).match(text):
        problem = f"no {'whole number' if whole else 'number'} in plain digits"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return int(text) if whole else loader.construct_yaml_float(node)


_Loader.add_constructor(_TURNED[0], _number)
_Loader.add_constructor(_TURNED[1], _number)
_Loader.add_implicit_resolver(_TURNED[1], _DECIMAL, list("-+.0123456789"))
_Loader.add_implicit_resolver(_TURNED[0], _WHOLE, list("-+0123456789"))


def sha256_file(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
