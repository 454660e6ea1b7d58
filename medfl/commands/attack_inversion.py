"""`attack inversion`: reconstruct images from updates, one case after the other."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medfl.commands.attack_case import attack_case, case_config, held_by
from medfl.errors import MedflError
from medfl.privacy.attacks.cases import INVERSION_FIGURES, LINEAR, UPDATE, Case, inversion_cases
from medfl.privacy.attacks.words import NOTHING

if TYPE_CHECKING:
    from medfl.config.attack import InversionSettings
    from medfl.privacy.attacks.kept import KeptArrays
    from medfl.privacy.attacks.similarity import Reconstruction
    from medfl.store import Store

COLUMNS = (
    "figure", "case", "arm", "network", "normalization", "batch", "local_steps", "statistics",
    "seen", "victim", "image", "psnr", "ssim", "guess_psnr", "objective",
)  # fmt: skip
GUESS = "mean of other images"
"""The answer of somebody who has seen no update."""


def chosen_figures(names: Sequence[str]) -> list[str]:
    """The figures of these names, in the order of ``INVERSION_FIGURES``."""
    from medfl.config import did_you_mean

    for name in names:
        if name not in INVERSION_FIGURES:
            raise MedflError(
                f"--figures: unknown figure `{name}`{did_you_mean(name, INVERSION_FIGURES)}"
            )
    if not names:
        raise MedflError(f"--figures names none: choose of {', '.join(INVERSION_FIGURES)}.")
    return [name for name in INVERSION_FIGURES if name in names]


def invert_updates(
    store: Store,
    dataset: str,
    arms: Sequence[str],
    figures: Sequence[str],
    settings: InversionSettings,
    folder: Path,
) -> None:
    """Attack every case of the figures; write pictures, ``inversion.csv`` and ``inversion.md``."""
    from tqdm import tqdm

    from medfl.commands.options import tell
    from medfl.files import write_csv, write_text
    from medfl.pages.figures import save
    from medfl.privacy.attacks.pictures import draw_reconstructions
    from medfl.privacy.attacks.words import inversion_page

    cases = {name: inversion_cases(name, arms, settings) for name in figures}
    configs = {
        case: case_config(case, dataset, settings) for found in cases.values() for case in found
    }
    needed = settings.images * settings.clients * max(case.batch for case in configs)
    if len(store) < needed + 3:
        raise MedflError(
            f"{dataset} has {len(store)} images, and the attack needs {needed + 3}: lower "
            "--images, --clients or the largest of --batches."
        )
    rows: list[dict[str, Any]] = []
    sought = sum(case.figure != LINEAR for case in configs) * settings.images
    steps = settings.iterations * settings.restarts
    # A case that was kept counts as done at once.
    with tqdm(
        total=sought * steps, desc="attacking", unit="step", file=sys.stderr, mininterval=0.5
    ) as bar:
        for name, found in cases.items():
            originals: list[Any] = []
            shown: dict[str, list[tuple[Any, float, float]]] = {}
            guessed: list[dict[str, Any]] = []
            for case in found:
                for victim in range(settings.images):
                    before = bar.n
                    made = attack_case(
                        case, configs[case], store, settings, victim, folder, bar.update
                    )
                    if case.figure != LINEAR:
                        bar.update(before + steps - bar.n)
                    if "psnr" not in made:
                        tell([f"{case.arm}: the server got nothing of victim {victim}'s images"])
                        continue
                    guesses = _guesses(store, settings, victim, made)
                    rows += _rows(case, victim, made, guesses, settings)
                    cell = (made["found"][0], float(made["psnr"][0]), float(made["ssim"][0]))
                    shown.setdefault(_label(case, str(made["seen"])), []).append(cell)
                    if len(originals) == victim:  # every case has the same first image
                        one = guesses[0]
                        originals.append(one.original)
                        guessed.append(_guess_row(name, victim, one))
                        shown.setdefault(GUESS, []).append((one.found, one.psnr, one.ssim))
            if not originals:
                continue
            shown[GUESS] = shown.pop(GUESS)  # below all others
            title = f"{INVERSION_FIGURES[name]} ({dataset})"
            save(draw_reconstructions(title, originals, shown), folder / f"inversion_{name}")
            rows += guessed
    write_csv(folder / "inversion.csv", COLUMNS, rows)
    write_text(folder / "inversion.md", inversion_page(dataset, rows, settings))
    print(f"{folder}: inversion_*.png, inversion.csv, inversion.md")


def _label(case: Case, seen: str) -> str:
    """What a row of a figure is called."""
    return case.name if seen == UPDATE else f"{case.name} ({seen})"


def _guesses(
    store: Store, settings: InversionSettings, victim: int, made: KeptArrays
) -> list[Reconstruction]:
    """Each image of a client beside the mean of the images of other people."""
    from medfl.privacy.attacks.similarity import compare

    full = np.iinfo(store.images.dtype).max
    guesses = []
    rows = held_by(store, settings, victim, len(made["original"]))[0]
    for row, original in zip(rows, made["original"], strict=True):
        others = np.flatnonzero(store.groups != store.groups[row])
        mean = store.images[others].mean(axis=0) / full
        guesses += compare(original[None], mean[None])
    return guesses


def _rows(
    case: Case,
    victim: int,
    made: KeptArrays,
    guesses: Sequence[Reconstruction],
    settings: InversionSettings,
) -> list[dict[str, Any]]:
    """A row for each image of a client. PSNR is `inf` where both are equal to the bit."""
    about = {
        "figure": case.figure,
        "case": case.name,
        "arm": case.arm,
        "network": case.network,
        "normalization": "" if case.figure == LINEAR else case.normalization,
        "batch": case.batch,
        "local_steps": settings.local_steps,
        "statistics": case.statistics,
        "seen": str(made["seen"]),
        "victim": victim,
        "objective": round(float(made["objective"]), 6),
    }
    numbers = zip(made["psnr"].tolist(), made["ssim"].tolist(), guesses, strict=True)
    return [
        {
            **about,
            "image": image,
            "psnr": round(psnr, 4),
            "ssim": round(ssim, 4),
            "guess_psnr": round(guess.psnr, 4),
        }
        for image, (psnr, ssim, guess) in enumerate(numbers)
    ]


def _guess_row(figure: str, victim: int, guess: Reconstruction) -> dict[str, Any]:
    return {
        "figure": figure,
        "case": GUESS,
        "seen": NOTHING,
        "victim": victim,
        "image": 0,
        "psnr": round(guess.psnr, 4),
        "ssim": round(guess.ssim, 4),
        "guess_psnr": round(guess.psnr, 4),
    }
