"""Options of the command line: those that several commands have, and those of the configuration."""

from __future__ import annotations

import argparse
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from medfl.config import DEFAULTS, FederatedConfig


def places(parser: argparse.ArgumentParser) -> None:
    """Where data are read, and where what is made of them goes."""
    parser.add_argument("--data-root", help="raw data; else MEDFL_DATA, else data")
    work_root(parser, "prepared stores go to its prepared/")


def work_root(parser: argparse.ArgumentParser, words: str = "holds prepared/") -> None:
    """The folder of the prepared stores."""
    parser.add_argument("--work-root", default="data", help=words)


def partial(parser: argparse.ArgumentParser) -> None:
    """Whether an incomplete dataset will do."""
    parser.add_argument(
        "--allow-partial",
        action="store_true",
        help="take what is there of an incomplete dataset, and say how much is missing",
    )


def setting(parser: argparse.ArgumentParser, path: str, option: str = "", **changes: Any) -> None:
    """Add the option of a setting, such as ``--batch-size`` of ``training.batch_size``.

    Type, default and words are those of the configuration's field.

    Args:
        parser: the command's.
        path: the field of ``FederatedConfig``, with its section.
        option: what the option is called, if not as the field is.
        **changes: what the command says in another way.
    """
    field, default = find(path)
    option = option or f"--{path.rsplit('.', 1)[-1].replace('_', '-')}"
    given: dict[str, Any] = {"default": default, "help": field.description, **changes}
    kinds = _kinds(field.annotation)
    if bool in kinds:
        given["action"] = argparse.BooleanOptionalAction
    else:
        given.setdefault("type", next(kind for kind in (int, float, str) if kind in kinds))
    parser.add_argument(option, **given)


def find(path: str) -> tuple[FieldInfo, Any]:
    """A field of ``FederatedConfig`` by its path, and the value it has where nothing is said."""
    *sections, name = path.split(".")
    kind: type[BaseModel] = FederatedConfig
    value: Any = DEFAULTS
    for section in sections:
        value = getattr(value, section)
        kind = type(value)
    return kind.model_fields[name], getattr(value, name)


def words(text: str) -> list[str]:
    """Comma-separated words."""
    return [word.strip() for word in text.split(",") if word.strip()]


def numbers(text: str) -> list[int]:
    """Comma-separated whole numbers."""
    try:
        return [int(word) for word in words(text)]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of whole numbers") from error


def _kinds(annotation: Any) -> set[Any]:
    """The plain types in an annotation such as ``Annotated[int, …] | None``."""
    inner = get_args(annotation)
    if not inner:
        return {annotation}
    return set[Any]().union(*map(_kinds, inner))
