"""What tables and plots call things: partitions, groups of arms, counts."""

from __future__ import annotations

from medfl.results.collect import GLOBAL, PERSONAL, REFERENCE

ROLE_TITLES = {
    GLOBAL: "One global model",
    PERSONAL: "Personal models †",
    REFERENCE: "References, not ranked",
}

_SCHEMES = {
    "iid": "IID",
    "site": "Natural sites",
    "dirichlet": "Dirichlet α = {}",
    "pathological": "{} classes a client",
    "quantity": "Quantity, exponent {}",
    "dirichletquantity": "Dirichlet label and quantity α = {}",
    "noise": "Noise {}",
    "scanner": "Scanner strength {}",
    "site-dirichlet": "Sites, Dirichlet α = {}",
}


def partition_title(word: str) -> str:
    """``dirichlet-0.5`` as a person says it; a word that is not known stays as it is."""
    scheme, _, value = word.rpartition("-")
    if word in _SCHEMES and "{}" not in _SCHEMES[word]:
        return _SCHEMES[word]
    title = _SCHEMES.get(scheme, "")
    return title.format(value) if "{}" in title else word


def plural(count: int, word: str) -> str:
    """``1 seed``, ``2 seeds``."""
    return f"{count} {word}" + ("" if count == 1 else "s")


def join_words(words: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
