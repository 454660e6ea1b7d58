"""How sure it is that an arm is the best, in words that go no further than the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from medfl.report.names import arm_label, join_words
from medfl.report.statistics.pairs import Comparison
from medfl.report.statistics.summary import Ranking
from medfl.results.column import Column

CLAIM = "better than every other arm on new patients, given these training patients"
HOW = "all pairs of arms, Holm, p < 0.05"
NAMED = 3  # arms that a sentence names of those that are many


def standing(
    ranking: Ranking, comparison: Comparison | None, margin: float, marked: frozenset[str]
) -> str:
    """How far the best of the ranked arms stands out from the other ones.

    Args:
        ranking: the ranked arms.
        comparison: the evidence; None for a mean over partitions, of which nothing is claimed.
        margin: within which arms are practically equal.
        marked: the arms that answer by each client's own model.
    """
    said = sureness(ranking, comparison, margin, marked)
    if len(ranking.order) == 1 or said.startswith(CLAIM):
        return said
    tied = [arm for arm in ranking.order[1:] if ranking.place(arm) == 1]
    lead = f"best mean, the same as of {_words(tied, marked)}" if tied else "best mean"
    return f"{lead}; {said}"


def sureness(
    ranking: Ranking, comparison: Comparison | None, margin: float, marked: frozenset[str]
) -> str:
    """How sure it is that the arm with the best mean is better; arguments as for ``standing``."""
    best, others = ranking.best, ranking.order[1:]
    if not others:
        return "the only arm that is ranked"
    if comparison is None:
        return "no claim, because partitions share their patients"
    if not comparison.pairs:
        return f"no claim, because {comparison.reason}"
    unclear = [arm for arm in others if not comparison.told_apart(best, arm)]
    if not unclear:
        return f"{CLAIM} ({HOW})"
    named = _words(unclear, marked)
    if len(unclear) == len(others) > NAMED:
        named = f"any of the other {len(others)}"
    clear = [arm for arm in others if arm not in unclear]
    better = f"better than {_words(clear, marked)}, but " if clear else ""
    said = f"{better}not distinguishable from {named} on new patients"
    same = [arm for arm in unclear if _equal(comparison, best, arm, margin)]
    return f"{said}; practically equal to {_words(same, marked)}" if same else said


def _words(arms: Sequence[str], marked: frozenset[str]) -> str:
    """The arms by name; of more than a sentence bears, the first, and how many more there are."""
    named = [arm_label(arm, arm in marked) for arm in arms]
    if len(named) > 2 * NAMED:
        named = [*named[:NAMED], f"{len(named) - NAMED} more"]
    return join_words(named)


def _equal(comparison: Comparison, best: str, arm: str, margin: float) -> bool:
    pair = comparison.between(best, arm)
    return pair is not None and pair.equal_within(margin)


def beside_alone(
    ranking: Ranking, comparison: Comparison, alone: Mapping[str, float], metric: Column, own: bool
) -> str:
    """What an arm without any federation is worth beside the best one; empty where that is clear.

    Args:
        ranking: the ranked arms.
        comparison: the evidence.
        alone: arm of clients that each train alone → its mean.
        metric: the metric.
        own: whether the clients' own patients are asked about, for which such an arm is an answer.
    """
    parts = []
    for arm, mean in alone.items():
        ahead = mean - ranking.summaries[ranking.best].mean
        by = f"{metric.format(abs(ahead))}{' points' if metric.unit == '%' else ''}"
        if comparison.told_apart(ranking.best, arm):
            if ahead > 0:
                parts.append(f"but {arm}, without any federation, is better by {by}")
            elif own:
                parts.append(f"better than {arm} by {by}")
        elif ahead > 0:
            parts.append(f"but {arm}, without any federation, has a mean higher by {by}")
        elif own and comparison.pairs:
            parts.append(f"not distinguishable from {arm}, without any federation")
    return "".join(f"; {part}" for part in parts)


def not_compared(comparison: Comparison) -> str:
    """The arms that lack a seed and so take no part, with the reason; empty for none."""
    said = [f"{arm} {why}" for arm, why in comparison.absent.items() if why]
    more = f" and {len(said) - NAMED} more" if len(said) > NAMED else ""
    return f"; not compared: {', '.join(said[:NAMED])}{more}" if said else ""
