"""How a report names the two questions, and what its numbers hold for."""

from __future__ import annotations

from collections.abc import Sequence

from medfl.report.attacked import PEACE
from medfl.report.grid_results import GridResults
from medfl.results.column import Column
from medfl.results.columns import EVERYONE, OWN

TITLES = {EVERYONE: "for everyone", OWN: "own patients"}
MEANINGS = {
    EVERYONE: "For everyone: one model judges the test samples of all clients. †: there is no such "
    "model, so each client's model judges everyone's test samples, and the mean over clients "
    "counts.",
    OWN: "Own patients: the test samples of each client are judged by the model that this client "
    "would use; all of them together give one number. †: that is a model of its own.",
}
HOLDS = (
    "Claims, p-values and intervals for new patients speak of other patients like the test "
    "patients, and of other seeds, with the training patients as they are; what other training "
    "patients would change is not in them. ± is the deviation over seeds."
)
CHANCE = "no image"
WHOSE = {
    EVERYONE: "one model on the test samples of all clients; †: the mean over the clients' models",
    OWN: "each client's test samples by the model that it would use",
}


def chance_words(questions: Sequence[str]) -> str:
    """What the line of chance is, for the questions that stand beside it."""
    shares = {OWN: "each client's own", EVERYONE: "all"}
    whose = shares[questions[0]]
    if len(questions) > 1:
        whose += " (for everyone: all)"
    return (
        f"“{CHANCE}”: the shares of classes among {whose} training samples as the answer to every "
        "test image, so the majority class for accuracy, and chance for other metrics."
    )


def dotted(question: str) -> str:
    """What the dotted line of a picture is, which answers a question."""
    own = " (each client's own shares where arms have models of clients' own)"
    return (
        "dotted: no image, the shares of classes in training samples as the answer"
        f"{own if question == OWN else ''}."
    )


def bare(metric: Column) -> str:
    """A metric's title within a sentence, without unit: ``balanced accuracy``."""
    title = metric.short
    return title if title.split()[0].isupper() or "AUC" in title else title.lower()


def about(results: GridResults, dataset: str, question: str) -> str:
    """`` (own patients)`` behind a metric, where a dataset's arms answer two questions."""
    return f", {TITLES[question]}" if len(results.questions(dataset)) > 1 else ""


def families_say(results: GridResults) -> str:
    """How many families of claims a grid makes, and what that means for false ones."""
    families = results.families
    tested = sum(bool(results.comparison(*family).pairs) for family in families)
    some = "" if tested == len(families) else f", {tested} of which can be tested"
    word = "family" if len(families) == 1 else "families"
    return (
        f"{len(families)} {word} of claims{some}: every two arms by the primary metric, in one "
        f"dataset, partition and question{_attacked_apart(results)}. Each makes a false claim "
        "with a chance of at most 5 %."
    )


def _attacked_apart(results: GridResults) -> str:
    """Which arms a family compares, where some are attacked."""
    if not results.attacks:
        return ""
    peace = " that nobody attacks" if results.under(PEACE) else ""
    if not peace:
        return ", under one attack"
    return (
        f"; in each there is one of the arms{peace}, one for each attack of the arms that meet it, "
        "and one of every unattacked beside every attacked arm, which says what attacks cost"
    )


def asked_of(results: GridResults, dataset: str) -> tuple[str, ...]:
    """The questions that a dataset's arms answer, the hospitals' own patients first."""
    asked = results.questions(dataset)
    return tuple(question for question in (OWN, EVERYONE) if question in asked)
