"""The base of every section of a configuration, and the errors that say what is wrong in one."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from medfl.config.numbers import Numbers
from medfl.errors import MedflError


class Section(Numbers):
    """A part of a configuration: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    short_keys: ClassVar[frozenset[str]] = frozenset()  # further keys that hints may name


def check_distinct(values: Iterable[Any]) -> None:
    """Refuse a value that stands there twice (``ValueError``)."""
    twice = sorted(str(value) for value, times in Counter(values).items() if times > 1)
    if twice:
        raise ValueError(f"{', '.join(twice[:MOST_MISTAKES])} stands there twice")


def folder_word(word: str) -> str:
    """A word as it names a folder.

    The word of a person's own partition or dataset has a colon, which is trouble in a folder's name
    (in PATH, on Windows, for DVC): a dot takes its place. A colon elsewhere stays, and is refused:
    ``dirichlet-1:30`` is no ``dirichlet-1.3``.
    """
    return re.sub(r"^([A-Za-z_][\w.]*):(?=[A-Za-z_])", r"\1.", word)


FolderWord = Annotated[str, AfterValidator(folder_word)]


T = TypeVar("T", bound=BaseModel)

MOST_MISTAKES = 10  # of a list of thousands, each of which is wrong, the first tell enough


def validate(
    kind: type[T], content: Any, where: str, quote: Callable[[str], str] | None = None
) -> T:
    """Build ``kind`` from ``content``; one ``MedflError`` says all that is wrong, and ``where``.

    Args:
        kind: a section.
        content: a mapping.
        where: such as the file.
        quote: how errors repeat words of ``content`` that ``kind`` does not know and that may name
            people; as they are where it is left out.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise MedflError("; ".join(_explain(kind, error, where, quote))) from error


UNSHOWN = "`…`"
"""Stands in errors for words that may name a person."""

_TRIED = re.compile(
    r"(list|dict|tuple|literal|function-(before|after|wrap|plain))\["
    r"|(constrained-)?(bool|int|float|str)$"
)


def _explain(
    kind: type[BaseModel],
    error: ValidationError,
    where: str,
    quote: Callable[[str], str] | None,
) -> list[str]:
    # One line for each place: of a union, pydantic says for each of its types why it is not that.
    lines: dict[str, list[str]] = {}
    ends: dict[str, str] = {}
    for problem in error.errors():
        # Where several types are allowed, pydantic also gives the type that it tried, such as
        # `list[str]`, which is no key.
        location = [str(part) for part in problem["loc"] if not _TRIED.match(str(part))]
        path = ".".join(_place(kind, location, quote))
        if problem["type"] == "extra_forbidden":
            known = _keys_at(kind, location[:-1])
            start, message = f"unknown key `{path}`{did_you_mean(location[-1], known)}", ""
        else:
            start = f"`{path}`: " if path else ""  # what is wrong with all keys together
            message = problem["msg"].removeprefix("Value error, ")
            if problem["type"] == "model_type":  # else pydantic names our class
                message = "a section of keys is meant; for its defaults leave it out"
            ends[start] = _given(problem, quote)
        lines.setdefault(start, []).append(message)
    said = [
        f"{where}: {start}{', or '.join(dict.fromkeys(messages))}{ends.get(start, '')}"
        for start, messages in lines.items()
    ]
    more = len(said) - MOST_MISTAKES
    return [*said[:MOST_MISTAKES], *([f"and {more:,} more mistakes"] if more > 0 else [])]


def _given(problem: Mapping[str, Any], quote: Callable[[str], str] | None) -> str:
    """The value that was refused, in brackets; empty where it is none to be repeated."""
    value = problem.get("input")
    if not isinstance(value, str | int | float | bool):
        return ""
    if quote is None or isinstance(value, bool):
        return f" (got {value!r})"
    text = quote(str(value))
    return "" if text == UNSHOWN else f" (got {text if isinstance(value, str) else repr(value)})"


def _place(
    kind: type[BaseModel], location: list[str], quote: Callable[[str], str] | None
) -> list[str]:
    """The keys down to a mistake; the last may be misspelt, and others a person's own words."""
    if quote is None:
        return location
    shown = []
    for number, part in enumerate(location):
        known = _keys_at(kind, location[:number])
        near = difflib.get_close_matches(part, known, n=1, cutoff=0.6)
        shown.append(part if part.isdecimal() or near else quote(part).strip("`"))
    return shown


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
    """The end of an error about an unknown name; it offers the nearest known one, or all.

    Papers write `SCAFFOLD` and `IID`: in whichever letters, a name is near to itself.
    """
    known = sorted(known)
    close = [name for name in known if name.lower() == word.lower()]
    close += difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    close += difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known: {', '.join(known)}." if known else "; none is known here."
