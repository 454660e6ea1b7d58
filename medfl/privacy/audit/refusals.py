"""Audits that could show nothing, and why."""

from __future__ import annotations

from medfl.config.audit import FEWEST_CANARIES, FEWEST_OF_A_CLIENT, AuditSettings
from medfl.errors import MedflError
from medfl.privacy.audit.guesses import all_right


def check_audit(settings: AuditSettings) -> None:
    """Refuse an audit that could show nothing (``MedflError``), with the arithmetic."""
    count, word = settings.count, f"{settings.unit}s"
    level = settings.delta, settings.significance
    most = min(all_right(count, settings.guesses).bounds(*level))
    if count < FEWEST_CANARIES:
        everything = max(all_right(count, 1.0).bounds(*level))
        raise MedflError(
            f"an audit with {count:,} {word} can show nothing: even without any noise it could not "
            f"prove an ε above {everything:.3g}, and with the noise that it is to judge next to "
            f"none. Take {FEWEST_CANARIES:,} canaries or more"
            + (", which are simulated." if settings.hospitals else ".")
        )
    if most <= settings.epsilon:
        raise MedflError(
            f"an audit with {count:,} {word} could catch no mechanism at all that claims ε "
            f"{settings.epsilon:g} at δ {settings.delta:g}: the bound would be at most {most:.3g}, "
            "even without any noise. Audit a smaller epsilon or delta, take more canaries, or make "
            "more --guesses."
        )
    if settings.hospitals and settings.clients is not None:
        raise MedflError("--clients: each hospital is a canary; say how many by --canaries.")
    if settings.unit != "patient" and settings.images is not None:
        raise MedflError(
            f"--images: a canary of unit {settings.unit} has one image; only those of --unit "
            "patient have several. Leave it out."
        )
    if not settings.hospitals and settings.noise == "distributed":
        raise MedflError("--noise distributed: only hospitals share noise; leave it out.")
    if not settings.hospitals and count // settings.homes < FEWEST_OF_A_CLIENT:
        raise MedflError(
            f"{count:,} {word} at {settings.homes} clients are {count // settings.homes} each, and "
            f"{FEWEST_OF_A_CLIENT} are needed: with fewer, a client's rounded size, which is "
            "public, could tell how many are in. Lower --clients, or raise --canaries."
        )
    if settings.rate * settings.drawn_from < 1:
        raise MedflError(
            f"--sampling-rate {settings.rate:g}: of {settings.drawn_from:,} {word} "
            f"{'' if settings.hospitals else 'of a client '}less than one would be drawn at a "
            f"time. Take {1 / settings.drawn_from:.2g} or more."
        )
