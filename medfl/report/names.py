"""How tables and plots name groups of arms, arms and counts."""

from __future__ import annotations

from medfl.results.runs import GLOBAL, PERSONAL, REFERENCE

CHANCE = "chance"
ROLE_TITLES = {
    GLOBAL: "One global model",
    PERSONAL: "Personal models",
    REFERENCE: "References, not ranked",
    CHANCE: "Without images, not ranked",
}


def arm_label(arm: str, marked: bool) -> str:
    """An arm's name, with † where each client's own model is judged."""
    return f"{arm} †" if marked else arm


def plural(count: int, word: str, many: str = "") -> str:
    """``1 seed``, ``2 seeds``; ``many`` is the plural where it is not the word and an s."""
    return f"{count} {word if count == 1 else many or f'{word}s'}"


def join_words(words: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
