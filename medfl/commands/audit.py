"""`audit` holds the ε that a link claims against what canaries show of it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medfl.config.audit import AuditSettings
    from medfl.observed.audited import AuditRun
    from medfl.privacy.audit.verdict import Verdict

COLUMNS = ("canary", "client", "in", "score", "guess")
WORDS = {1: "in", -1: "out", 0: ""}


def audit(options: argparse.Namespace) -> int:
    """Run an audit and write what it found; the status is 1 where it does not pass."""
    from tqdm import tqdm

    from medfl.commands.options import section_of
    from medfl.config import validate
    from medfl.config.audit import AuditSettings
    from medfl.files import write_csv, write_json
    from medfl.observed.audited import audit_run
    from medfl.observed.neighbours import neighbours_bound
    from medfl.pages.figures import save
    from medfl.privacy.audit.guesses import guess_members, judge_guesses
    from medfl.privacy.audit.refusals import check_audit
    from medfl.privacy.audit.scores_figure import draw_audit
    from medfl.privacy.audit.verdict import judge_audit

    settings = validate(AuditSettings, section_of(options, AuditSettings), "medfl audit")
    check_audit(settings)
    folder = Path(options.output_dir, settings.unit)
    count = settings.homes * settings.rounds + (0 if settings.hospitals else 2)
    with tqdm(
        total=count, desc="auditing", unit="message", file=sys.stderr, mininterval=0.5
    ) as bar:
        run = audit_run(settings, bar.update)
        neighbours = None if settings.hospitals else neighbours_bound(settings, bar.update)
    guessed, inside = guess_members(run.scores, settings.guesses), run.canaries.inside
    verdict = judge_audit(
        judge_guesses(guessed, inside),
        run.privacy["epsilon"],
        settings.delta,
        settings.significance,
        run.draws,
        neighbours,
    )
    columns = run.canaries.homes, inside, run.scores, guessed
    rows = [
        {
            "canary": number,
            "client": home,
            "in": int(there),
            "score": f"{score:.9g}",
            "guess": WORDS[said],
        }
        for number, (home, there, score, said) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True)
        )
    ]
    write_csv(folder / "scores.csv", COLUMNS, rows)
    title = f"Audit of {settings.unit}-level privacy"
    save(draw_audit(title, run.scores, inside, verdict), folder / "audit")
    write_json(folder / "audit.json", _record(settings, run, verdict))
    print("\n".join(_said(settings, verdict)))
    print(f"{folder}: audit.json, scores.csv, audit.png")
    return 0 if verdict.passed else 1


def _record(settings: AuditSettings, run: AuditRun, verdict: Verdict) -> dict[str, Any]:
    from dataclasses import asdict

    from medfl import __version__
    from medfl.privacy.audit.verdict import LEAST_F_DP, LEAST_ONE_RUN

    return {
        "passed": verdict.passed,
        "finding": verdict.finding.value,
        "epsilon": {
            "claimed": verdict.epsilon,
            "one_run": verdict.one_run,
            "f_dp": verdict.f_dp,
            "two_neighbours": verdict.neighbours,
            "least_one_run": LEAST_ONE_RUN * verdict.epsilon,
            "least_f_dp": LEAST_F_DP * verdict.epsilon,
        },
        "guesses": asdict(verdict.guesses),
        "sampling_p_values": None if verdict.draws is None else asdict(verdict.draws),
        "privacy": run.privacy,
        "settings": settings.resolved(),
        "medfl": __version__,
    }


def _said(settings: AuditSettings, verdict: Verdict) -> list[str]:
    """What was found, in a few lines."""
    counted = verdict.guesses
    lines = [
        f"{settings.unit}: ε {verdict.epsilon:.3g} is claimed at δ {settings.delta:g}. "
        f"{counted.right:,} of {counted.made:,} guesses on {counted.canaries:,} canaries are "
        f"right, which shows ε ≥ {verdict.one_run:.3g} (one run) and ≥ {verdict.f_dp:.3g} "
        "(f-DP form)."
    ]
    if verdict.neighbours is not None:
        lines.append(
            f"Single steps on two neighbouring data sets show ε ≥ {verdict.neighbours:.3g}, and "
            f"each claims {settings.epsilon:.3g}."
        )
    if verdict.draws is not None and not verdict.draws.passed:
        lines.append(
            "p-values of Poisson samples: rate {rate:.2g}, sizes {sizes:.2g}, participations "
            "{participations:.2g}, overlaps {overlaps:.2g}.".format(**vars(verdict.draws))
        )
    words = verdict.finding.value
    return [*lines, f"{words[0].upper()}{words[1:]}."]


def audit_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl audit`."""
    from medfl.commands import options
    from medfl.config import OUTPUT_DIR
    from medfl.config.audit import AuditSettings

    options.section(parser, AuditSettings)
    options.output_dir(parser, "gets a folder UNIT", default=f"{OUTPUT_DIR}/audits")
