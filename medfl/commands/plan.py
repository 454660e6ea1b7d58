"""`plan` says how many seeds and test patients a comparison needs, from a pilot's runs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from medfl.errors import MedflError

if TYPE_CHECKING:
    from medfl.report.attacked import Family
    from medfl.report.grid_results import GridResults
    from medfl.report.statistics.planning import Pilot

DIFFERENCES = "1,2,5"
ARMS = 100  # of which a hundred seeds are drawn at once
SEEDS = (5, 10)  # with which the number of patients is said


def plan(options: argparse.Namespace) -> None:
    """Say how many seeds and test patients it takes to tell two arms apart."""
    from medfl.report.attacked import COST
    from medfl.report.grid_results import GridResults
    from medfl.results.runs import read_all_runs

    differences = _points(options.differences)
    if not 1 <= options.power <= 99:  # 0.8 is 80 per cent to whoever writes it
        raise MedflError(
            f"--power {options.power:g} is no chance in per cent from 1 to 99: give 80, or so."
        )
    if options.arms is not None and not 2 <= options.arms <= ARMS:
        raise MedflError(f"--arms {options.arms}: two arms or more are compared, at most {ARMS}.")
    results = GridResults(read_all_runs(options.results))
    said, reasons = [], []
    for family in (one for one in results.families if one.attacked != COST):
        lines, reason = _family(results, family, differences, options)
        said += lines
        under = [family.attacked.words] if results.attacks else []
        reasons += [f"{' / '.join([*family[:3], *under])}: {reason}"] if reason else []
    if not said:
        raise MedflError(
            f"{options.results} is no pilot of anything: {'; '.join(reasons)}. Train two arms or "
            "more with two seeds or more, and keep their predictions."
        )
    print("\n".join([*said, "", *_notes(options.power)]))


def _family(
    results: GridResults,
    family: Family,
    differences: list[float],
    options: argparse.Namespace,
) -> tuple[list[str], str]:
    """The lines of one dataset, partition and question; or none, and why."""
    from medfl.partition import partition_title
    from medfl.report.names import plural
    from medfl.report.questions import about, bare
    from medfl.report.statistics.planning import pilot

    dataset, partition, question, attacked = family
    found = results.measured(family)
    if len(found.arms) < 2 or len(found.seeds) < 2:
        arms = plural(len(found.arms), "arm")
        return [], f"{arms} with {plural(len(found.seeds), 'common seed')}"
    if found.reason:
        return [], found.reason
    measured = pilot(found.values, found.without, found.shared, found.test_per_train)
    planned = options.arms or len(found.arms)
    metric = bare(results.primary(dataset, question))
    under = f", {attacked.words}" if results.attacks else ""
    whose = "the same for all seeds" if found.shared else "drawn by each seed"
    lines = [
        f"{dataset}, {partition_title(partition)}{about(results, dataset, question)}{under}: "
        f"{metric}, {planned} arms; pilot: {len(found.arms)} arms, {len(found.seeds)} seeds, "
        f"{measured.patients:.0f} test patients, {whose}"
    ]
    return [*lines, *_table(measured, planned, differences, options.power / 100)], ""


def _table(measured: Pilot, arms: int, differences: list[float], power: float) -> list[str]:
    """A line for each difference."""
    lines = []
    for points in differences:
        seeds = measured.seeds_for(points / 100, arms, power)
        words = f"  {points:g} point{'' if points == 1 else 's'}: " + (
            f"{seeds} seeds with these patients"
            if seeds
            else "no number of seeds (up to 100) alone"
        )
        for number in SEEDS:
            patients = measured.patients_for(points / 100, arms, number, power)
            many = f"{patients} test patients" if patients else "no number of patients alone"
            words += f"; with {number} seeds {many}"
        lines.append(words)
    return lines


def _notes(power: float) -> list[str]:
    return [
        f"So many find the difference between two given arms with a chance of {power:g} %, with",
        "Holm's correction over all pairs of arms. The pilot's variances are estimates: few seeds",
        "or arms make them rough (docs/statistics.md).",
    ]


def _points(text: str) -> list[float]:
    from medfl.config import NUMBER

    plain = [NUMBER.fullmatch(word.strip()) for word in text.split(",")]
    found = [float(word[0]) for word in plain if word]
    if len(found) < len(plain) or not all(0 < points <= 100 for points in found):
        raise MedflError(f"--differences {text}: give points between 0 and 100, such as 1,2,5.")
    return found


def plan_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl plan`."""
    from medfl.commands.words import folder, number, whole_number

    words = "the folder of a pilot's results, which holds runs/"
    parser.add_argument("results", type=folder, help=words)
    words = "how many arms will be compared; else as many as the pilot has"
    parser.add_argument("--arms", type=whole_number, help=words)
    words = "differences to be found, in points of the primary metric"
    parser.add_argument("--differences", default=DIFFERENCES, help=words)
    words = "with which chance one is found, in per cent"
    parser.add_argument("--power", type=number, default=80.0, help=words)
