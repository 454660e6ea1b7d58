"""What attacks and defences cost, in sentences that go no further than the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medfl.report.answers import NO_CLAIM, NOT_TOLD, TOLD
from medfl.report.attacked import PEACE, Attacked
from medfl.report.grid_results import GridResults
from medfl.report.names import join_words
from medfl.report.robustness import SUM, Crossing, Difference, crossings

NAMED = 4  # differences that a sentence lists
Labelled = tuple[str, Difference]


@dataclass(frozen=True)
class Said:
    """A sentence on one arm that was crossed.

    Attributes:
        about: what it is about, which the page prints in bold.
        words: the sentence.
        verdict: ``TOLD`` where the tests tell apart some of what it lists.
    """

    about: str
    words: str
    verdict: str


def robustness_words(results: GridResults, dataset: str, partition: str) -> list[tuple[str, Said]]:
    """Base arm and sentence: what defences cost in peace, what attacks cost, and which is more."""
    made = []
    for one in crossings(results, dataset, partition):
        if SUM in one.rules and len(one.attacks) + len(one.rules) > 2:
            said = (_defences(one), _attacks(one), _dearer(one), _under_attack(one))
            made += [(one.base, sentence) for sentence in said if sentence]
    return made


def _defences(one: Crossing) -> Said | None:
    """What each rule costs where nobody attacks."""
    found = _named(one, [((rule, PEACE), (SUM, PEACE), rule) for rule in _rules(one)])
    if not found:
        return None
    words = f"where nobody attacks, beside the plain sum: {_list(one, found)}."
    costs = any(by.mean < 0 for _, by in found)
    about = "A defence costs," if costs else "By the means no defence costs anything"
    return Said(about, words, _verdict(found))


def _attacks(one: Crossing) -> Said | None:
    """What each attack costs the plain sum, and under which it diverges."""
    found = _named(one, [((SUM, a), (SUM, PEACE), a.words) for a in _wars(one)])
    ended = [a.words for a in _wars(one) if _diverged(one, SUM, a)]
    parts = [_list(one, found)] if found else []
    parts += [f"diverged in some seed under {join_words(ended)}"] if ended else []
    if not parts:
        return None
    words = f"the plain sum: {'; '.join(parts)}."
    costs = ended or any(by.mean < 0 for _, by in found)
    about = "An attack costs" if costs else "By the means no attack costs"
    return Said(about, words, _verdict(found))


def _dearer(one: Crossing) -> Said | None:
    """The defences that cost more, where nobody attacks, than an attack costs the plain sum.

    Where the tests tell some apart, of the others nothing is said.
    """
    costly = [
        rule
        for rule in _rules(one)
        if (by := one.difference((rule, PEACE), (SUM, PEACE))) and by.mean < 0
    ]
    asked = [
        ((rule, PEACE), (SUM, attacked), f"{rule} beside {attacked.words}")
        for rule in costly
        for attacked in _wars(one)
    ]
    found = [pair for pair in _named(one, asked) if pair[1].mean < 0]
    told = [pair for pair in found if pair[1].told]
    if not found:
        return None
    about = f"{'A' if told else 'By the means alone a'} defence costs more than the attack"
    words = f"(unattacked, it is below the plain sum under attack): {_list(one, told or found)}."
    return Said(about, words, _verdict(found))


def _under_attack(one: Crossing) -> Said | None:
    """How often a defence is better than none under the attack, and how often worse."""
    asked = [
        ((rule, a), (SUM, a), f"{rule} under {a.words}") for rule in _rules(one) for a in _wars(one)
    ]
    found = _named(one, asked)
    if not found:
        return None
    worse = [pair for pair in found if pair[1].mean < 0]
    best = [pair for pair in found if pair[1].mean > 0][::-1]
    parts = [f"helps: {_list(one, best)}"] if best else []
    parts += [f"does harm: {_list(one, worse)}"] if worse else []
    if not parts:
        return None
    return Said("Under attack a defence", f"{'; '.join(parts)}.", _verdict(found))


def _rules(one: Crossing) -> list[str]:
    return [rule for rule in one.rules if rule != SUM]


def _wars(one: Crossing) -> list[Attacked]:
    return [attacked for attacked in one.attacks if attacked != PEACE]


def _diverged(one: Crossing, rule: str, attacked: Attacked) -> bool:
    state = one.state(rule, attacked, one.metric)
    return bool(state and state.diverged)


def _named(
    one: Crossing, asked: Sequence[tuple[tuple[str, Attacked], tuple[str, Attacked], str]]
) -> list[Labelled]:
    """The differences that are known, the lowest first."""
    found = [(name, by) for first, second, name in asked if (by := one.difference(first, second))]
    return sorted(found, key=lambda pair: pair[1].mean)


def _list(one: Crossing, found: Sequence[Labelled]) -> str:
    """``krum −12.0*, median −3.1``: those that are told apart first, of many the first few."""
    order = sorted(found, key=lambda pair: not pair[1].told)
    said = [f"{name} {by.words(one.metric)}" for name, by in order[:NAMED]]
    more = f" and {len(order) - NAMED} more" if len(order) > NAMED else ""
    return f"{', '.join(said)}{more}"


def _verdict(found: Sequence[Labelled]) -> str:
    if not any(by.tested for _, by in found):
        return NO_CLAIM
    return TOLD if any(by.told for _, by in found) else NOT_TOLD
