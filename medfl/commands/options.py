"""Options that several commands share, and those that are made from fields of the configuration."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from medfl.commands.words import file, folder, new_folder, number, whole_number, whole_numbers
from medfl.config import DEFAULT_GRID, DEFAULTS, WORK_ROOT, FederatedConfig
from medfl.errors import MedflError

if TYPE_CHECKING:
    from medfl.grid import Cell, GridConfig


def places(parser: argparse.ArgumentParser) -> None:
    """Add where raw data lie and where prepared stores go."""
    words = "raw data; else MEDFL_DATA, else data"
    parser.add_argument("--data-root", type=folder, help=words)
    work_root(parser, "prepared stores go to its prepared/")


def work_root(parser: argparse.ArgumentParser, words: str = "holds prepared/") -> None:
    """Add the folder that holds the prepared stores."""
    parser.add_argument("--work-root", type=folder, default=WORK_ROOT, help=words)


def output_dir(parser: argparse.ArgumentParser, words: str, **more: Any) -> None:
    """Add the folder that a command writes; whether it may is known before any work."""
    parser.add_argument("--output-dir", type=new_folder, help=words, **more)


def grid(parser: argparse.ArgumentParser, holds: str) -> None:
    """Add which grid is meant, and where its results lie."""
    parser.add_argument("--grid", type=file, default=DEFAULT_GRID, help="the params file")
    words = f"{holds}; else the grid's output_dir"
    parser.add_argument("--results", type=folder, help=words)


def cell(parser: argparse.ArgumentParser) -> None:
    """Add what names one run of a grid."""
    for name in ("dataset", "partition", "arm"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--seed", type=whole_number)


def grid_cell(options: argparse.Namespace) -> tuple[GridConfig, Cell]:
    """The grid of ``--grid``, and the run of it that the options name.

    Of a grid that a start has fixed this run alone is checked: all were when it started.

    Raises:
        MedflError: the grid is wrong, or has no such run.
    """
    from medfl.config import did_you_mean, folder_word
    from medfl.grid import Cell, check_run, read_grid
    from medfl.grid.shared import holds, runs_of
    from medfl.partition import parse_partition
    from medfl.pipeline.fixed import is_fixed
    from medfl.results.paths import KEYS

    fixed = is_fixed(Path(options.grid))
    whole = read_grid(options.grid, one=fixed)
    for key in KEYS:
        if getattr(options, key) is None:
            raise MedflError(f"--grid needs --{key} too: which run of the grid?")
    partition = parse_partition(options.partition).word
    named = Cell(folder_word(options.dataset), partition, options.arm, options.seed)
    if not holds(whole, named):
        known = {run: None for both in runs_of(whole).items() for run in both}
        hint = did_you_mean(str(named), map(str, known))
        raise MedflError(f"{options.grid} has no run {named}{hint}")
    if fixed:
        check_run(whole, named)
    return whole, named


def partial(parser: argparse.ArgumentParser) -> None:
    """Add whether an incomplete dataset is accepted."""
    parser.add_argument(
        "--allow-partial",
        action="store_true",
        help="take what is there of an incomplete dataset, and say how much is missing",
    )


def setting(parser: argparse.ArgumentParser, path: str, option: str = "", **changes: Any) -> None:
    """Add the option of a setting, such as ``--batch-size`` of ``training.batch_size``.

    Its type, default and help are those of the configuration's field.

    Args:
        parser: the parser of the command.
        path: the field of ``FederatedConfig``, with its section.
        option: the option's name, where it is not that of the field.
        **changes: arguments of ``add_argument`` that replace what the field says.
    """
    field, default = field_at(path)
    name = path.rsplit(".", 1)[-1]
    _add(parser, option or _option(name), field, {"default": default, **changes})


def section(parser: argparse.ArgumentParser, kind: type[BaseModel]) -> None:
    """Add an option for every field of a section, such as ``--local-steps`` of ``local_steps``."""
    for name, field in kind.model_fields.items():
        _add(
            parser, _option(name), field, {"default": field.get_default(call_default_factory=True)}
        )


def section_of(options: argparse.Namespace, kind: type[BaseModel]) -> dict[str, Any]:
    """The values of the options that ``section`` added, for ``validate``."""
    return {name: getattr(options, name) for name in kind.model_fields}


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _add(
    parser: argparse.ArgumentParser, option: str, field: FieldInfo, changes: Mapping[str, Any]
) -> None:
    """Add the option of a field, with its type and help."""
    given: dict[str, Any] = {"help": field.description, **changes}
    kinds = _kinds(field.annotation)
    if get_origin(field.annotation) is Literal:
        given["choices"] = get_args(field.annotation)
    elif bool in kinds:
        given["action"] = argparse.BooleanOptionalAction
    elif get_origin(field.annotation) is list:
        given["type"] = whole_numbers
        given["default"] = ",".join(map(str, given["default"]))
    else:
        types: dict[type, Callable[[str], Any]] = {int: whole_number, float: number, str: str}
        parse: Callable[[str], Any] = next(types[kind] for kind in types if kind in kinds)
        given.setdefault("type", _in_range(option, field, parse))
    parser.add_argument(option, **given)


def _in_range(option: str, field: FieldInfo, parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """What reads an option and holds it against its field: a command need not do so again."""

    def read(text: str) -> Any:
        value = parse(text)
        form: Any = Annotated[field.annotation, field]
        try:
            TypeAdapter(form, config=ConfigDict(allow_inf_nan=False)).validate_python(value)
        except ValidationError as error:
            said = error.errors()[0]["msg"].removeprefix("Value error, ")
            name = option.removeprefix("--").replace("-", "_")
            raise argparse.ArgumentTypeError(f"`{name}`: {said} (got {value!r})") from error
        return value

    return read


def field_at(path: str) -> tuple[FieldInfo, Any]:
    """A field of ``FederatedConfig`` by its path, and its default."""
    *sections, name = path.split(".")
    kind: type[BaseModel] = FederatedConfig
    value: Any = DEFAULTS
    for section in sections:
        value = getattr(value, section)
        kind = type(value)
    return kind.model_fields[name], getattr(value, name)


def tell(lines: Iterable[str]) -> None:
    """Say on standard error what a user should know, beside the command's own output."""
    for line in lines:
        print(f"medfl: {line}.", file=sys.stderr)


def _kinds(annotation: Any) -> set[Any]:
    """The plain types in an annotation such as ``Annotated[int, …] | None``."""
    inner = get_args(annotation)
    if not inner:
        return {annotation}
    return set[Any]().union(*map(_kinds, inner))
