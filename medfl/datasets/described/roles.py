"""Refuse one column of a table for two things that cannot be the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from medfl.errors import MedflError

_APART = (
    ("labels", "files"),
    ("labels", "sites"),
    ("labels", "folds"),
    ("sites", "files"),
    ("attributes", "files"),
)
"""Labels that are sites train a model to tell hospitals; names of files may name people."""


def refuse_shared(roles: Mapping[str, Sequence[str]], where: str) -> None:
    """Refuse a column that is to be, for instance, both the labels and the sites.

    Args:
        roles: the columns of files, labels, sites, folds and attributes.
        where: the description, for errors.

    Raises:
        MedflError: with the column's name.
    """
    for one, other in _APART:
        for column in roles[one]:
            if column and column in roles[other]:
                raise MedflError(
                    f"{where}: the column `{column}` is to be both the {one} and the {other}: name "
                    f"others by `columns:`, or say `{other[:-1]}: none` if it holds no {other}."
                    if other in ("sites", "folds")
                    else f"{where}: the column `{column}` is to be both the {one} and the {other}: "
                    "name another one by `columns:`."
                )
