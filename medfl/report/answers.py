"""The answer for each partition, question by question: which arm is ahead, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from medfl.partition import partition_title
from medfl.report.attacked import PEACE
from medfl.report.certainty import HOW, not_compared, sureness
from medfl.report.findings import (
    Finding,
    chance_said,
    findings,
    findings_attacked,
    interval,
)
from medfl.report.grid_results import GridResults
from medfl.report.names import join_words
from medfl.report.questions import TITLES, asked_of, bare
from medfl.report.seeds_needed import seeds_needed
from medfl.report.statistics import Summary
from medfl.report.statistics.summary import Ranking

TOLD, NOT_TOLD, NO_CLAIM = "told apart", "not told apart", "no claim"


@dataclass(frozen=True)
class Answer:
    """Who is ahead in a partition by one question.

    Attributes:
        partition: its title.
        question: the question's name; empty where the dataset's arms answer one alone.
        leaders: the arms with the highest mean, which one without any federation may be.
        ahead: what they have: their mean, and who is the best federated arm if they are not.
        verdict: ``TOLD``, ``NOT_TOLD`` or ``NO_CLAIM``.
        sure: how sure it is that they are ahead, in a sentence.
        needed: what would tell two arms apart, in a sentence; empty where the leader is told from
            all others, or where that is not known.
        attacked: under which attack, ``alie (20 %)``; empty for the arms that nobody attacks.
    """

    partition: str
    question: str
    leaders: str
    ahead: str
    verdict: str
    sure: str
    needed: str = ""
    attacked: str = ""


def answers(results: GridResults, dataset: str) -> list[Answer]:
    """The answers of a dataset by partition, own patients first; none where nothing is ranked.

    They are of the arms that nobody attacks.
    """
    return [_answer(results, found) for found in findings(results, dataset) if found.partition]


def answers_attacked(results: GridResults, dataset: str) -> list[Answer]:
    """Which arm holds up best under each attack, by partition; none where nobody attacks."""
    return [_answer(results, found) for found in findings_attacked(results, dataset)]


def _answer(results: GridResults, found: Finding) -> Answer:
    question = TITLES[found.question] if len(asked_of(results, found.dataset)) > 1 else ""
    ranking = _contest(results, found)
    tied = [arm for arm in ranking.order if ranking.place(arm) == 1]
    verb = "has" if len(tied) == 1 else "have"
    words = f"{verb} the highest mean {bare(found.metric)}: {_score(found, ranking, tied)}"
    if set(tied) <= set(found.alone):
        words = (
            f", without any federation, {words}; {found.best}, the best federated arm, has "
            f"{_score(found, ranking, [found.ranking.best])}"
        )
    else:
        words = f" {words}"
    said = sureness(ranking, found.comparison, found.margin, found.marked)
    said = said.removesuffix(f" ({HOW})").removeprefix(f"{NO_CLAIM}, because ")  # said beside it
    if found.ranking.best not in tied:
        said += _among_federated(found)
    said += not_compared(found.comparison) if found.comparison else ""
    whose = "; " if found.ranking.best in tied else f"; {found.best} is "
    said += chance_said(found).replace("; ", whose, 1)
    verdict = _verdict(ranking, found)
    return Answer(
        partition_title(found.partition or ""),
        question,
        join_words([found.mark(arm) for arm in tied]),
        f"{words}.",
        verdict,
        f"{said[:1].upper()}{said[1:]}.",
        seeds_needed(results, found) if verdict != TOLD and len(ranking.order) > 1 else "",
        found.attacked.words if found.attacked != PEACE else "",
    )


def _among_federated(found: Finding) -> str:
    """Which federated arms the best of them is told from, where one without any is ahead."""
    said = sureness(found.ranking, found.comparison, found.margin, found.marked)
    said = said.removesuffix(f" ({HOW})")
    return f"; of the federated arms {found.best} is {said}" if said.startswith("better") else ""


def _contest(results: GridResults, found: Finding) -> Ranking:
    """The ranked arms and those whose clients train alone, which compete for the best."""
    alone = {
        arm: summary
        for arm in found.alone
        if (summary := results.state(found.dataset, found.partition, arm, found.metric).summary)
    }
    entrants: dict[str, Summary] = {**found.ranking.summaries, **alone}
    order = sorted([*found.ranking.order, *alone], key=lambda arm: -entrants[arm].mean)
    return replace(found.ranking, order=tuple(order), summaries=entrants)


def _verdict(ranking: Ranking, found: Finding) -> str:
    if not found.comparison or not found.comparison.pairs or len(ranking.order) == 1:
        return NO_CLAIM
    others = ranking.order[1:]
    apart = all(found.comparison.told_apart(ranking.best, other) for other in others)
    return TOLD if apart else NOT_TOLD


def _score(found: Finding, ranking: Ranking, arms: Sequence[str]) -> str:
    """``82.0 % (78.9 to 84.8)``: the mean, with its 95 % interval for new patients if known."""
    unit = f" {found.metric.unit}" if found.metric.unit else ""
    ends = found.comparison.intervals.get(arms[0]) if found.comparison else None
    words = interval(ends or (None, None), found.metric)
    about = f" ({words})" if words and len(arms) == 1 else ""
    return f"{found.metric.format(ranking.summaries[arms[0]].mean)}{unit}{about}"
