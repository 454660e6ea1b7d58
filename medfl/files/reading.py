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

import orjson
import yaml

from medfl.errors import MedflError, Reason, failure
from medfl.files.regular import read_bytes, read_text, regular

_TURNED = [f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "timestamp")]
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)$")
_DECIMAL = re.compile(
    r"([-+]?(0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
)
_NUMBER = re.compile(  # as `!!float 3` may be written
    r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$|" + _DECIMAL.pattern
)

_DEEPEST = 64  # levels in one another; no file of ours has ten
_LARGEST = 10**6  # values that a file may come to where aliases repeat what they stand for
_TOP_KEY = re.compile(r"([a-z_]{1,40})\s*:(\s|$)")
_QUOTED = re.compile(r"['\"]([^'\"]*)['\"]")
_SYMBOL = re.compile(r"<[a-z ]+>|[^\w\s]{1,3}")  # such as '<block end>', ','


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """Read a YAML file; a missing file or a syntax error is a ``MedflError`` naming the line."""
    path, text = Path(path), ""
    try:
        text = read_text(path, "utf-8-sig")
        return pickle.loads(_parsed(text))
    except FileNotFoundError as error:
        raise MedflError(f"{path} does not exist.") from error
    except OSError as error:
        raise MedflError(f"{path} cannot be read ({error.strerror}): name a YAML file.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # also what is no UTF-8
        raise MedflError(f"{path} is not valid YAML: {_damage(error, text)}.") from error


@lru_cache(maxsize=8)
def _parsed(text: str) -> bytes:
    """What a YAML text says, packed: it is built anew for each who reads it.

    Jobs that are forked from one process find there what it has read of the grid before them.
    """
    return pickle.dumps(yaml.load(text, _Loader))


def _damage(error: Exception, text: str) -> str:
    """Say what is wrong in a YAML file and where, without the words that stand there.

    A description holds names of folders and labels, and with them perhaps those of people. Its
    keys of the first level, written as ours are, are none of these.
    """
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
        return f"line {line}, column {column}: a character that YAML does not allow"
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return failure(error)
    mark = error.problem_mark
    problem = str(error.problem)
    if "'\\t'" in problem:
        problem = "a tab where only spaces may stand"
    if not all(map(_SYMBOL.fullmatch, _QUOTED.findall(problem))) or problem.count("'") % 2:
        problem = re.split(r"(?:, but (?:found|got) )?['\"]", problem)[0]
    lines = text.splitlines()[: mark.line + 1]
    keys = [found[1] for line in reversed(lines) if (found := _TOP_KEY.match(line))]
    below = f" (in `{keys[0]}`)" if keys and isinstance(error, _ValueError) else ""
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem.strip().rstrip(':')}{below}"


def unusual_yaml(path: str | os.PathLike[str]) -> str | None:
    """What stops the usual reader of YAML in a file: Snakemake reads a grid by it, before we do.

    It makes a day of `2024-02-30` where ``read_yaml`` takes a text.

    Returns:
        A sentence that says where and how to mend it; None where the file can be read.
    """
    try:
        text = read_text(path, "utf-8-sig")
        yaml.load(text, _UsualLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mend = " A text stands in quotes." if isinstance(error, _ValueError) else ""
        return f"{path} is not valid YAML: {_damage(error, text)}.{mend}"
    return None


def parse_json(text: str) -> Any:
    """Parse JSON; whatever is wrong with it is a ``ValueError``, endless brackets too."""
    try:
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise Reason("it holds brackets in one another without end") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys stand there once: of two, others may read the one that we do not."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Reason("a key stands there a second time")
    return found


def load_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file; ``OSError`` where it cannot be read, ``ValueError`` where it is none."""
    content = read_bytes(path)
    found = _as_we_write(content)
    return parse_json(content.decode()) if found is None else found


def _as_we_write(content: bytes) -> Any:
    """What a JSON file says that is laid out byte for byte as ``write_json`` does it; else None.

    Written once more it is the same, so it holds no key twice. That is asked at a tenth of the
    time that ``parse_json`` takes; thousands of records are read for a report.
    """
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    again = orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return found if again == content else None


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the object that a JSON file holds; empty where there is none, or it is damaged."""
    try:
        content = load_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


class _ValueError(yaml.constructor.ConstructorError):
    """A value cannot be built."""

    def __init__(self, problem: str, node: yaml.Node) -> None:
        super().__init__(None, None, problem, node.start_mark)


class _Placed(yaml.constructor.SafeConstructor):
    """Say of a value that cannot be built where it stands."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        # Such as `!!timestamp 2024-02-30`, `!!bool perhaps`, `!!set [a]` and 5,000 digits.
        except (ValueError, OverflowError, KeyError, TypeError, AttributeError):
            raise _ValueError("a value that cannot be built as what it is", node) from None


class _UsualLoader(_Placed, yaml.FullLoader):
    """YAML as most programs read it."""


class _Loader(_Placed, yaml.SafeLoader):
    """YAML whose values are what a person wrote.

    A key that stands twice in a mapping is refused, where YAML would forget the first. What YAML
    1.1 makes a number or a day of stays the text that it is: `010` (8), `1_000`, `0x10`, `12:30`
    (750), `2024-01-30`. Where a number is meant, `medfl.config` refuses it. So does this class
    where the file itself says that a number is meant: `!!int 010`. Refused is as well what would
    take all of the memory or the stack of whoever reads it: brackets in one another without end,
    an alias within what it stands for, and aliases of aliases that come to millions of values.
    """

    _depth = 0

    yaml_implicit_resolvers = {  # noqa: RUF012 (the base class has it as a variable)
        first: [(tag, pattern) for tag, pattern in pairs if tag not in _TURNED]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._depth += 1
        if self._depth > _DEEPEST:
            problem = f"more than {_DEEPEST} levels in one another"
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, problem, mark)
        found = super().compose_node(parent, index)
        self._depth -= 1
        return found

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None:
            _count(node, {})
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    problem = "a key stands there a second time"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _count(node: yaml.Node, counted: dict[int, int]) -> int:
    """How many values a node comes to with all that its aliases stand for."""
    if id(node) not in counted:
        counted[id(node)] = 0  # it is under way
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in parts for part in pair]
        counted[id(node)] = 1 + sum(_count(part, counted) for part in parts)
        if counted[id(node)] > _LARGEST:
            raise _ValueError(f"aliases that come to more than {_LARGEST:,} values", node)
    elif not counted[id(node)]:
        raise _ValueError("an alias within what it stands for", node)
    return counted[id(node)]


def _number(loader: _Loader, node: yaml.ScalarNode) -> Any:
    text = loader.construct_scalar(node)
    whole = node.tag == _TURNED[0]
    if not (_WHOLE if whole else _NUMBER).match(text):
        raise _ValueError(f"no {'whole number' if whole else 'number'} in plain digits", node)
    return int(text) if whole else loader.construct_yaml_float(node)


_Loader.add_constructor(_TURNED[0], _number)
_Loader.add_constructor(_TURNED[1], _number)
_Loader.add_implicit_resolver(_TURNED[1], _DECIMAL, list("-+.0123456789"))
_Loader.add_implicit_resolver(_TURNED[0], _WHOLE, list("-+0123456789"))


def sha256_file(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb", opener=regular) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
