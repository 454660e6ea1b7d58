"""Follows what a person's own modules import of their own, so that an edit there counts too."""

from __future__ import annotations

import ast
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from medfl.files.regular import read_bytes
from medfl.sources import statements

_LIBRARIES = tuple({Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")})


def with_own_imports(files: Iterable[Path]) -> list[Path]:
    """These files, and every file of the same person that they import, directly or not.

    Modules are looked for as Python does it: in the folder or package of the file that imports
    them, then in ``sys.path``. Installed packages are not followed, and neither is medfl, which
    has a reckoning of its own. Modules that are imported by a name made while the program runs
    (``importlib.import_module(name)``) are not seen.
    """
    found, waiting = dict[Path, None](), list(files)
    while waiting:
        file = waiting.pop(0)
        if file in found:
            continue
        found[file] = None
        if file.suffix == ".py" and not is_installed(file):
            waiting += _imported(file)
    return list(found)


def _imported(file: Path) -> Iterator[Path]:
    packages = _packages(file)
    # A package's own module runs before any module inside it.
    yield from (folder / "__init__.py" for folder in packages)
    root = packages[-1].parent if packages else file.parent
    try:
        body = ast.parse(read_bytes(file)).body
    except (SyntaxError, ValueError):  # it was never imported, or Python would have said so
        return
    for node in statements(body):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _find(root, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            for alias in node.names:
                if node.level:
                    yield from _inside(file.parents[node.level - 1], [*module, alias.name])
                else:
                    yield from _find(root, [*module, alias.name])


def _packages(file: Path) -> list[Path]:
    """The packages in which a file lies, the innermost first."""
    found: list[Path] = []
    for folder in file.parents:
        if not (folder / "__init__.py").is_file():
            break
        found.append(folder)
    return found


def _find(root: Path, names: Sequence[str]) -> list[Path]:
    """The files of a module, its packages included; none where it is not a person's own."""
    if names[0] == "medfl" or names[0] in sys.stdlib_module_names:
        return []
    for folder in (root, *map(Path, sys.path)):
        found = _inside(folder.absolute(), names)
        if found:
            return [] if is_installed(found[0]) else found
    return []


def _inside(folder: Path, names: Sequence[str]) -> list[Path]:
    """The files of ``names`` below a folder, as far as they are packages and modules."""
    found = []
    for name in names:
        package, module = folder / name / "__init__.py", folder / f"{name}.py"
        if package.is_file():
            found.append(package)
        elif module.is_file():
            return [*found, module]
        folder /= name
    return found


def is_installed(file: Path) -> bool:
    """Whether a file is of Python or of an installed package, and so none of a person's own."""
    folders = {*file.parents, *file.resolve().parents}
    return any(folder in folders for folder in _LIBRARIES) or any(
        folder.name in ("site-packages", "dist-packages") for folder in folders
    )
