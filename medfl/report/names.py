"""How tables and plots name groups of arms, arms and counts."""

from __future__ import annotations

from medfl.results.runs import GLOBAL, PERSONAL, REFERENCE

ROLE_TITLES = {
    GLOBAL: "One global model",
    PERSONAL: "Personal models †",
    REFERENCE: "References, not ranked",
}


def arm_label(arm: str, role: str) -> str:
    """An arm's name, with † where each client is judged by a model of its own."""
    return f"{arm} †" if role == PERSONAL else arm


def plural(count: int, word: str) -> str:
    """``1 seed``, ``2 seeds``."""
    return f"{count} {word}" + ("" if count == 1 else "s")


def join_words(words: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
