"""`make golden`: write golden files anew where numbers changed on purpose.

It shows how large each difference is, and refuses unless the results version of what changed was
raised and CHANGELOG.md says so. Where nothing changed, nothing is written, not even on a machine
that rounds the last bit in another way.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import golden_history
import goldens
from golden_history import History, home, key, parsed, sha, supports

from medfl.files import write_json

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"


def differences(golden: Any, found: Any) -> Iterator[tuple[float, float] | None]:
    """Absolute and relative size of each number that differs; None for anything else."""
    if isinstance(golden, dict) and isinstance(found, dict):
        for word in golden.keys() - {"sha256", "machine"}:
            yield from differences(golden[word], found.get(word))
    elif isinstance(golden, list) and isinstance(found, list) and len(golden) == len(found):
        for one, other in zip(golden, found, strict=True):
            yield from differences(one, other)
    elif isinstance(golden, int | float) and isinstance(found, int | float):
        if golden != found:
            size = abs(found - golden)
            yield size, size / max(abs(golden), abs(found))
    elif golden != found:
        yield None


def size(golden: Any, found: Any) -> str:
    """How large the differences of a golden file are, in words."""
    all_of_them = list(differences(golden, found))
    numbers = [pair for pair in all_of_them if pair]
    words = []
    if numbers:
        absolute, relative = (max(column) for column in zip(*numbers, strict=True))
        words.append(f"{len(numbers)} numbers, at most {absolute:.1e} (relative {relative:.1e})")
    if others := len(all_of_them) - len(numbers):
        words.append(f"{others} entries of another form")
    return " and ".join(words) or "in the hash alone"


def refusal(
    history: History, versions: Mapping[str, int], changed: list[str], changelog: str
) -> str | None:
    """Why golden files are not written, in one sentence; None where they may be.

    Args:
        history: the numbers so far.
        versions: the results versions in the sources.
        changed: the golden files that are there and whose numbers differ.
        changelog: the text of CHANGELOG.md.
    """
    known: dict[str, int] = {}
    for entries in history.values():
        known |= {item: max(n, known.get(item, 0)) for item, n in parsed(list(entries)[-1]).items()}
    raised = []
    for item, number in versions.items():
        before = known.get(item, number)
        if number not in (before, before + 1):
            return f"{item} is at {number} and was at {before}: it is only ever raised, by one."
        raised += [item] if number > before else []
    for name in changed:
        if not set(goldens.covers(name)) & set(raised):
            places = " or ".join(f"of {item} ({home(item)})" for item in goldens.covers(name))
            return f"the numbers of {name} changed: raise the results version {places}."
    for item in raised:
        if not any(supports(name, item) for name in changed):
            return f"{item} was raised to {versions[item]}, but none of its numbers changed."
        if not told(item, versions[item], changelog):
            name = item.split(" ")[-1]
            return (
                "CHANGELOG.md does not tell of it: add a line under Unreleased such as "
                f"`- {name}, results version {versions[item]}: what changed, and why.`"
            )
    return None


def told(item: str, number: int, changelog: str) -> bool:
    """Whether a point under Unreleased names this results version."""
    unreleased = re.search(r"^## .*Unreleased.*?$(.*?)(?=^## |\Z)", changelog, re.M | re.S)
    points = re.split(r"^[-*] ", unreleased[1] if unreleased else "", flags=re.M)
    name = re.escape(item.split(" ")[-1])
    pattern = rf"\b{name}\b.*\bresults version {number}\b"
    return any(re.search(pattern, " ".join(point.split()), re.I) for point in points)


def main() -> str | None:
    """Renew golden files; what stands against it, or None."""
    history, versions = golden_history.read(), golden_history.current()
    found, changed = {}, []
    for name in goldens.names():
        numbers = goldens.run(name)
        if not goldens.path(name).exists():
            found[name] = numbers
            changed += [name] if name in history else []
            print(f"{name}: new")
            continue
        golden = goldens.read(name)
        exact = golden.pop("machine") == goldens.machine()
        if next(goldens.differences(golden, numbers, exact), None):
            found[name] = numbers
            changed.append(name)
            print(f"{name}: {size(golden, numbers)}")
    text = CHANGELOG.read_text(encoding="utf-8") if CHANGELOG.exists() else ""
    if reason := refusal(history, versions, changed, text):
        return f"Nothing is written: {reason}"
    for name, numbers in found.items():
        write_json(goldens.path(name), {"machine": goldens.machine(), **numbers})
    for name in goldens.names():
        entries = history.setdefault(name, {})
        entries.setdefault(key(name, versions), sha(goldens.read(name)))
    golden_history.write(history)
    print(f"{len(found)} golden files written." if found else "All numbers are as they were.")
    return None


if __name__ == "__main__":
    sys.exit(main())
