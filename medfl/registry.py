"""Finds the classes that a configuration names: built in, or a person's own ``my_module:MyClass``.

Algorithms, networks, partitions, datasets, links, rules and figures have a ``Registry`` each. To
import it imports none of the modules that it names, so a grid is checked without PyTorch.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from medfl.config import OWN, Numbers, did_you_mean, in_order, validate
from medfl.errors import MedflError, own_code
from medfl.own_class import check_own_class
from medfl.own_imports import with_own_imports

T = TypeVar("T")

# A class of theirs is no source of ours or of a user's; a run's record has their versions.
LIBRARIES = frozenset({"torch", "torchvision", "pydantic"})


class HyperParams(Numbers):
    """Base of the parameters of algorithms, links and rules: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_serializer(mode="wrap")
    def _in_order(self, dump: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
        return in_order(self, dump(self)) if info.mode == "json" else dump(self)


class Sources(NamedTuple):
    """Where a class and its base classes are written.

    Attributes:
        modules: names of modules of medfl.
        files: a person's own files, and those of their own that they import.
    """

    modules: tuple[str, ...]
    files: tuple[Path, ...]


class Registry(Generic[T]):
    """Classes (or functions that build something) of one kind, by name.

    Args:
        what: the kind, for errors, such as ``algorithm``.
        package: the package of the built-in classes, such as ``medfl.algorithms``.
        names: for each built-in name its ``module:attribute`` below ``package``.
        base: the class, as ``package:Class``, from which a person's own class must be derived; it
            is imported only to check this. None where anything that can be called is accepted.
        results_versions: the results versions (``medfl/versions.py``) of the built-in names whose
            numbers have ever changed; the others are at 1.
    """

    def __init__(
        self,
        what: str,
        package: str,
        names: Mapping[str, str],
        base: str | None = None,
        results_versions: Mapping[str, int] | None = None,
    ) -> None:
        self.what = what
        self.package = package
        self.base = base
        self._names = dict(names)
        self._versions = dict(results_versions or {})

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def available(self) -> list[str]:
        """The built-in names, in the registry's order."""
        return list(self._names)

    def load(self, name: str, folders: Iterable[str | os.PathLike[str]] = ()) -> T:
        """Import the class of a built-in name, or a person's own ``my_package.module:MyClass``.

        Args:
            name: the word of the configuration.
            folders: where a person's own module is looked for, before the current folder.

        Raises:
            MedflError: the name is unknown, the module cannot be imported, or its class is not
                of this kind.
        """
        if name in self._names:
            module, attribute = self._names[name].split(":")
            found: T = getattr(importlib.import_module(f"{self.package}.{module}"), attribute)
            return found
        self.check_name(name)
        found = _import(name, f"the {self.what} `{name}` cannot be loaded", folders)
        self._check_kind(name, found)
        return found

    def check_name(self, name: str) -> None:
        """Refuse a word that neither is built in nor names a class; nothing is imported."""
        if name not in self._names and not re.fullmatch(OWN, name):
            raise MedflError(
                f"unknown {self.what} `{name}`{did_you_mean(name, self._names)} "
                "Your own class is named as my_package.module:MyClass."
            )

    def short(self, name: str) -> str:
        """The built-in name of a class that is named by its module; any other name as it is."""
        places = {f"{self.package}.{place}": built_in for built_in, place in self._names.items()}
        return places.get(name, name)

    def check_params(self, name: str, params: Mapping[str, Any], where: str) -> BaseModel:
        """Check parameters against the class's ``Params`` without building anything.

        Returns:
            The parameters as the class reads them; those that are left out have their defaults.

        Raises:
            MedflError: for an unknown parameter or a value out of range; it begins with ``where``.
        """
        with self.guarded(name, where):
            return validate(_params(self.load(name)), dict(params), where)

    def create(self, name: str, params: Mapping[str, Any]) -> Any:
        """Check the parameters and build an object of the class ``name`` with them."""
        kind: Any = self.load(name)
        _params(kind)
        with self.guarded(name, f"the {self.what} `{name}` cannot be built"):
            try:
                made = kind(**params)
            except ValidationError:
                self.check_params(name, params, f"the {self.what} `{name}`")
                raise
        if hasattr(kind, "Params") and not hasattr(made, "params"):
            raise MedflError(
                f"the {self.what} `{name}` must call super().__init__(**params) in its __init__."
            )
        return made

    def guarded(self, name: str, where: str) -> AbstractContextManager[None]:
        """A block in which what a person's own class raises becomes a ``MedflError``.

        What a built-in class raises stays as it is, with its traceback: it is our mistake.
        """
        return nullcontext() if name in self._names else own_code(where)

    def sources(self, name: str) -> Sources:
        """Where the class ``name`` is written: a result that uses it depends on these files.

        A person's own class is imported, because the files of its base classes count too, and what
        of their own these import. A built-in class is not imported: the imports of its module lead
        to its base classes.
        """
        if name in self._names:
            return Sources((f"{self.package}.{self._names[name].split(':')[0]}",), ())
        return sources(self.load(name))

    def versions(self, names: Iterable[str]) -> dict[str, int]:
        """The results versions of built-in names, such as ``{"algorithm fedavg": 1}``."""
        return {f"{self.what} {name}": self._versions.get(name, 1) for name in names}

    def written_in(self, modules: Collection[str]) -> list[str]:
        """The built-in names that are written in one of these modules of medfl."""
        homes = {name: place.split(":")[0] for name, place in self._names.items()}
        return [name for name in homes if f"{self.package}.{homes[name]}" in modules]

    def _check_kind(self, name: str, found: object) -> None:
        if self.base is None:
            if not callable(found):
                raise MedflError(f"`{name}` is neither a class nor a function.")
            return
        module, attribute = self.base.split(":")
        base = getattr(importlib.import_module(module), attribute)
        if not (isinstance(found, type) and issubclass(found, base)):
            raise MedflError(f"`{name}` is not a subclass of {module}.{attribute}.")
        check_own_class(self.what, name, found, base)


def sources(kind: object) -> Sources:
    """The modules of medfl and the own files in which a class, or a function, is written."""
    modules: dict[str, None] = {}
    files: dict[Path, None] = {}
    for part in kind.__mro__ if isinstance(kind, type) else (kind,):
        module = getattr(part, "__module__", "")
        top = module.split(".")[0]
        if top == "medfl":
            modules[module] = None
        elif top not in LIBRARIES and top not in sys.stdlib_module_names:
            try:
                files[Path(inspect.getfile(part))] = None  # type: ignore[arg-type]
            except (OSError, TypeError):  # typed into a console, where it has no file
                continue
    return Sources(tuple(modules), tuple(with_own_imports(files)))


def _import(name: str, where: str, folders: Iterable[str | os.PathLike[str]]) -> Any:
    module, attribute = name.split(":")
    for folder in (os.getcwd(), *reversed([os.path.abspath(folder) for folder in folders])):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    try:
        with own_code(where):
            return getattr(importlib.import_module(module), attribute)
    except MedflError as error:
        raise MedflError(
            f"{error} The module must be importable from the folder that the command runs in."
        ) from error


def _params(kind: Any) -> type[HyperParams]:
    found = getattr(kind, "Params", HyperParams)
    if not (isinstance(found, type) and issubclass(found, HyperParams)):
        raise MedflError(
            f"`{getattr(kind, '__name__', kind)}.Params` must be a subclass of "
            "medfl.registry.HyperParams."
        )
    return found
