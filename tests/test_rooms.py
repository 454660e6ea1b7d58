"""CONTRIBUTING's map has every room of the package, and imports run the way that it says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TOPS = (ROOT, ROOT / "medfl")
ROOMS = {path.name for path in (ROOT / "medfl").iterdir() if (path / "__init__.py").exists()}


def floors() -> list[set[str]]:
    """The rooms of each floor, from the top, as the page has them."""
    drawn = re.search(r"Imports run one way.*?```\n(.*?)```", PAGE, flags=re.DOTALL)
    assert drawn
    return [set(re.findall(r"\w+", line)) for line in drawn[1].splitlines()]


def imports(nodes: Iterable[ast.stmt]) -> Iterator[str]:
    """The modules of medfl that statements import, those in functions too.

    What only type checkers read (``if TYPE_CHECKING``) may point upwards and is left out.
    """
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
            for part in ("body", "orelse", "finalbody", "handlers"):
                yield from imports(getattr(node, part, ()))


def test_the_map_has_every_room():
    assert {name for floor in floors() for name in floor} >= ROOMS
    drawn = PAGE.split("## The rooms")[1].split("```")[1]
    assert {name for name in ROOMS if f"{name}/" not in drawn} == set()


def test_imports_run_from_the_upper_floors_to_the_lower_ones():
    level = {name: number for number, floor in enumerate(floors()) for name in floor}
    upwards = set()
    for room in ROOMS:
        for path in (ROOT / "medfl" / room).rglob("*.py"):
            for module in imports(ast.parse(path.read_text(encoding="utf-8")).body):
                other = module.split(".")[1] if module.startswith("medfl.") else room
                if other != room and other in ROOMS and level[other] <= level[room]:
                    upwards.add(f"{path.relative_to(ROOT)} imports {module}")
    assert upwards == set()


def test_every_file_that_the_page_names_with_its_folder_is_there():
    named = set(re.findall(r"`([\w/]+/\w+\.py)`", PAGE))
    assert {"tests/federations.py", "datasets/tables.py"} <= named
    assert [name for name in named if not any((top / name).exists() for top in TOPS)] == []


def test_the_tests_mirror_the_rooms():
    rooms = [path.parent.relative_to(ROOT) for path in ROOT.glob("medfl/**/__init__.py")]
    mirrored = [Path("tests", *room.parts[1:]) for room in rooms]
    assert [str(folder) for folder in mirrored if not any((ROOT / folder).glob("test_*.py"))] == []


def test_no_public_class_or_function_has_a_twin():
    """A name says one thing. In `commands` a function is called as its command is typed."""
    homes: dict[str, list[str]] = {}
    for path in sorted((ROOT / "medfl").rglob("*.py")):
        if path.parent.name != "commands":
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                for name in named(node):
                    homes.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def named(node: ast.stmt) -> list[str]:
    """The public class, function or type that a statement names; no constant."""
    names = [getattr(node, "name", "")] if isinstance(node, ast.ClassDef | ast.FunctionDef) else []
    if isinstance(node, ast.Assign):
        types = [part.id for part in node.targets if isinstance(part, ast.Name)]
        names = [name for name in types if re.fullmatch("[A-Z].*[a-z].*", name)]
    return [name for name in names if name[0] != "_"]
