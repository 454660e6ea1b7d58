"""Choose the samples that stay: what nothing is known of, copies and second sites are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from medfl.datasets.described.dimensions import of_the_rarer_kind
from medfl.datasets.described.facts import FactReader, Facts
from medfl.datasets.described.join import Item, copies_of
from medfl.datasets.described.whose import Whose, settle_patients
from medfl.files.exclusions import Exclusion, LeftOut


@dataclass(frozen=True)
class Kept:
    """The samples that stay, in order, and what is left out.

    Attributes:
        items: N samples.
        facts: what is known of each.
        whose: whose each is.
        left: what is left out, and why.
    """

    items: Sequence[Item] = field(repr=False)
    facts: Sequence[Facts] = field(repr=False)
    whose: Whose
    left: Sequence[Exclusion] = field(repr=False)


def keep(items: Sequence[Item], left: Sequence[Exclusion], reader: FactReader) -> Kept:
    """Read the facts of all samples, and choose those that stay.

    Args:
        items: the samples.
        left: what is left out already.
        reader: reads the facts of one after another.

    Raises:
        MedflError: what the description says of patients cannot be done.
    """
    out = list(left)
    read: list[tuple[Item, Facts]] = []
    for item in items:
        try:
            read.append((item, reader.of(item)))
        except LeftOut as reason:
            out.append(Exclusion(item.key, str(reason)))
    found = [item for item, _ in read]
    facts = reader.in_one_spelling([one for _, one in read])
    odd = copies_of(found, [one.labels for one in facts], reader.found)
    odd |= of_the_rarer_kind(found, reader.found)
    out = [*reader.relabelled(out), *odd.values()]
    rows = [row for row in range(len(found)) if row not in odd]
    where = f"{reader.where}: patient"
    whose = settle_patients([facts[row].told for row in rows], reader.data.patient, where)
    out += [Exclusion(found[rows[row]].key, reason) for row, reason in whose.left.items()]
    rows = [rows[row] for row in whose.kept]
    return Kept(
        [found[row] for row in rows], [facts[row] for row in rows], whose.without_left(), out
    )
