"""The base of every section of a configuration, and the errors that say what is wrong in one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from medfl.config.numbers import Numbers
from medfl.errors import MedflError


class Section(Numbers):
    """A part of a configuration: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    short_keys: ClassVar[frozenset[str]] = frozenset()  # further keys that hints may name


def folder_word(word: str) -> str:
    """A word as it names a folder.

    The word of a person's own partition or dataset has a colon, which is trouble in a folder's name
    (in PATH, on Windows, for DVC): a dot takes its place.
    """
    return word.replace(":", ".")


FolderWord = Annotated[str, AfterValidator(folder_word)]


T = TypeVar("T", bound=BaseModel)


def validate(kind: type[T], content: Any, where: str) -> T:
    """Build ``kind`` from ``content``; one ``MedflError`` says all that is wrong, and ``where``."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise MedflError("; ".join(_explain(kind, error, where))) from error


_TRIED = re.compile(
    r"(list|dict|tuple|function-(before|after|wrap|plain))\[|(constrained-)?(int|float|str)$"
)


def _explain(kind: type[BaseModel], error: ValidationError, where: str) -> list[str]:
    lines = []
    for problem in error.errors():
        # Where several types are allowed, pydantic also gives the type that it tried, such as
        # `list[str]`, which is no key.
        location = [str(part) for part in problem["loc"] if not _TRIED.match(str(part))]
        path = ".".join(location) or "the configuration"
        if problem["type"] == "extra_forbidden":
            known = _keys_at(kind, location[:-1])
            lines.append(f"{where}: unknown key `{path}`{did_you_mean(location[-1], known)}")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            given = problem.get("input")
            shown = f" (got {given!r})" if isinstance(given, str | int | float | bool) else ""
            lines.append(f"{where}: `{path}`: {message}{shown}")
    return lines


def _keys_at(kind: type[BaseModel], location: list[str]) -> list[str]:
    """The keys that a section has, following field names down from ``kind``."""
    for part in location:
        field = kind.model_fields.get(part)
        if field is None:
            continue
        # The section also stands inside `dict[str, Modality]` and `Modality | None`.
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                kind = inner
    keys = [field.alias or name for name, field in kind.model_fields.items()]
    return keys + sorted(getattr(kind, "short_keys", ()))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error about an unknown name; it offers the nearest known one, or all."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known: {', '.join(known)}." if known else "; none is known here."
