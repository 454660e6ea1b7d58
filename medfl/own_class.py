"""Checks a person's own class against its base class, before any method of it is called.

So a method with other arguments, a missing one, or a class attribute of another type is one
sentence when a grid is read, and no traceback in the middle of a run.
"""

from __future__ import annotations

import inspect
import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from medfl.errors import MedflError, current_folder, own_code, said_by

if TYPE_CHECKING:
    from medfl.results.column import Column

LONGEST_LINE = 1000  # signs of what a class says of itself
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def check_own_class(what: str, name: str, kind: type, base: type) -> None:
    """Refuse a class that medfl could not use as it uses ``base``.

    Args:
        what: the kind, for errors, such as ``link``.
        name: the word of the configuration, for errors.
        kind: the person's own class.
        base: the class of medfl that it is derived from.

    Raises:
        MedflError: a method that every class of this kind must have is missing, an overridden
            method does not take what medfl calls it with, or a class attribute is missing or of
            another type.
    """
    where = f"the {what} `{name}`"
    if inspect.isabstract(kind):
        missing = sorted(getattr(kind, "__abstractmethods__", ()))
        raise MedflError(
            f"{where} lacks {_words(missing)}, which every {what} must have: write "
            f"{_words(f'def {one}{_shown(getattr(base, one))}' for one in missing)}."
        )
    for hook, original in _members(base):
        _check_hook(where, hook, inspect.getattr_static(kind, hook), original)
    for attribute, annotation in _class_attributes(base).items():
        _check_attribute(where, kind, attribute, annotation)


def check_type(value: Any, kind: type | tuple[type, ...], where: str, needed: str) -> None:
    """Refuse what a hook has returned, where it is of another type than is ``needed``."""
    if not isinstance(value, kind):
        raise MedflError(f"{where} gave {type(value).__name__}, but needed is {needed}.")


def check_said(value: Any, where: str) -> None:
    """Refuse what a hook says of itself for the record, where JSON cannot hold it."""
    check_type(value, dict, where, "a dictionary of names and values")
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise MedflError(
            f"{where} gave what JSON cannot hold ({said_by(error)}): give texts, finite numbers, "
            "True, False, None, and lists and dictionaries of them."
        ) from error


def check_row(
    given: Any, columns: Sequence[Column], where: str, declared: str, whole: bool = False
) -> None:
    """Refuse what a hook puts into a row of a table, unless these are numbers of its own columns.

    Args:
        given: what it gives.
        columns: its columns.
        where: the hook, for errors.
        declared: the class attribute that names them.
        whole: whether it must fill them all.
    """
    check_type(given, dict, where, "a dictionary of column → number, or None where there is none")
    names = [column.name for column in columns]
    if not all(name in names for name in given) or (whole and len(given) < len(names)):
        raise MedflError(
            f"{where} gave {list(given)}, but its `{declared}` are {names}: "
            f"{'they must be the same' if whole else 'declare there what it gives'}."
        )
    for name, number in given.items():
        needed = "a number, or None where there is none"
        if number is not None and (not isinstance(number, Real) or isinstance(number, bool)):
            check_type(number, (), f"{where}, as `{name}`,", needed)
        if number is not None and not math.isfinite(number):
            raise MedflError(f"{where} gave {name} {number}: give {needed}.")


def check_words(given: Any, kinds: type | tuple[type, ...], where: str, needed: str) -> None:
    """Refuse what a hook says of itself in words, unless it is a line that a page can show."""
    check_type(given, kinds, where, needed)
    if given is not None and (len(given) > LONGEST_LINE or not given.isprintable()):
        raise MedflError(
            f"{where} gave a text of {len(given):,} signs: give one line of at most "
            f"{LONGEST_LINE:,} signs, without tabs or line ends."
        )


def back_home(folder: str | None, who: str) -> None:
    """Go back to the current folder that was, where own code has left it (``MedflError``).

    None where there was none.
    """
    if folder is not None and current_folder() != folder:
        os.chdir(folder)
        raise MedflError(
            f"{who} has changed the current folder (os.chdir) while a run trained, and the run's "
            "files would have been written elsewhere: take that line out, and name files by whole "
            "paths."
        )


@contextmanager
def asking(where: str) -> Iterator[None]:
    """Call a hook, ``where``, of a person's own class, which leaves the current folder as it is."""
    folder = current_folder()
    try:
        yield
    except StopIteration:  # which a loop around it would take for its own end
        with own_code(where):
            raise
    finally:
        back_home(folder, where)


def is_builtin(kind: type) -> bool:
    """Whether a class is medfl's."""
    return kind.__module__.split(".")[0] == "medfl"


def _members(base: type) -> list[tuple[str, Any]]:
    """The public methods and properties of a base class."""
    found = {name: inspect.getattr_static(base, name) for name in dir(base) if name[0] != "_"}
    return [
        (name, one)
        for name, one in found.items()
        if inspect.isfunction(one) or isinstance(one, property)
    ]


def _check_hook(where: str, hook: str, own: Any, original: Any) -> None:
    if own is original:
        return
    if isinstance(original, property):
        # A method without @property is true in every `if`, whatever it would have returned.
        if callable(own) or isinstance(own, staticmethod | classmethod):
            raise MedflError(f"{where}: write @property above `def {hook}(self)`.")
        return
    wanted = f"write `def {hook}{_shown(original)}`"
    function = own.__func__ if isinstance(own, staticmethod | classmethod) else own
    if not callable(function):
        if hasattr(own, "__get__"):  # such as a partialmethod, whose arguments nobody can read here
            return
        raise MedflError(f"{where}: `{hook}` must be a method: {wanted}.")
    required = inspect.signature(original).parameters.values()
    positional = [p for p in required if p.kind in _POSITIONAL]
    if isinstance(own, staticmethod):
        positional = positional[1:]  # it gets no self
    named = {p.name: None for p in required if p.kind not in (*_POSITIONAL, p.VAR_POSITIONAL)}
    try:
        signature = inspect.signature(function)
    except ValueError:  # written in C
        return
    try:
        signature.bind(*positional, **named)
    except TypeError as error:
        raise MedflError(
            f"{where}: `{hook}` does not take what it is called with ({error}): {wanted}."
        ) from error


def _class_attributes(base: type) -> dict[str, Any]:
    """The class attributes that a base class declares, with their types."""
    hints = get_type_hints(base)
    return {
        name: get_args(hint)[0]
        for name, hint in hints.items()
        if get_origin(hint) is ClassVar and name[0] != "_"
    }


def _check_attribute(where: str, kind: type, attribute: str, annotation: Any) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    try:
        value = inspect.getattr_static(kind, attribute)
    except AttributeError as error:
        raise MedflError(
            f"{where} lacks the class attribute `{attribute}`: {_needed(adapter)}."
        ) from error
    if isinstance(value, property):  # only an object of the class knows its value
        return
    if get_origin(annotation) is tuple and isinstance(value, list):
        value = tuple(value)
    try:
        adapter.validate_python(value, strict=True)  # else the text "no" is a False that is true
    except ValidationError as error:
        raise MedflError(
            f"{where}: its class attribute `{attribute}` is {value!r}: {_needed(adapter)}."
        ) from error
    if annotation is int and value < 0:  # they all count something
        raise MedflError(
            f"{where}: its class attribute `{attribute}` is {value!r}: it must be 0 or more."
        )


def _needed(adapter: TypeAdapter[Any]) -> str:
    """What a class attribute must be, in words."""
    try:
        adapter.validate_python(object())
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "literal_error":
            return f"it must be {first['ctx']['expected']}"
        if first["type"] == "dataclass_type":
            return f"it must be a {first['ctx']['class_name']}"
    known = {"str": "a text", "bool": "True or False"}
    shown = str(getattr(adapter._type, "__name__", adapter._type))
    return f"it must be {known.get(shown, shown)}"


def _shown(function: Any) -> str:
    """The signature of a hook as a person writes it, without annotations."""
    signature = inspect.signature(function)
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


def _words(names: Any) -> str:
    return " and ".join(f"`{name}`" for name in names)
