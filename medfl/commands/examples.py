"""What `medfl COMMAND --help` ends with: examples, and the names that a benchmark may have."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from contextlib import suppress

from medfl.errors import MedflError

EXAMPLES: dict[str, tuple[str, ...]] = {
    "datasets": ("medfl datasets", "medfl datasets --data-root /data/medical"),
    "prepare": ("medfl prepare phantom", "medfl prepare ham10000-64 --data-root /data/medical"),
    "inspect": ("medfl inspect phantom", "medfl inspect hospital.yaml --output-dir card"),
    "original": ("medfl original hospital f-2b7c9a/f-90d1ee",),
    "split": (
        "medfl split phantom --partition dirichlet-0.5 --num-clients 5 --output splits/seed0.csv",
        "medfl split phantom --partition site --seed 1 --output splits/seed1.csv",
    ),
    "run": (
        "medfl run --config run.yaml --output-dir results/one-run",
        "medfl run --grid params/default.yaml --dataset phantom-16 --partition dirichlet-0.1 "
        "--arm fedavg --seed 0 --output-dir results/one-run",
    ),
    "choose": (
        "medfl choose --grid params/reference/pneumoniamnist.yaml --dataset pneumoniamnist "
        "--partition dirichlet-0.5 --arm fedavg --seed 0",
    ),
    "tuning": ("medfl tuning --grid params/reference/pneumoniamnist.yaml",),
    "status": ("medfl status results", "medfl status results/benchmark --watch"),
    "aggregate": ("medfl aggregate --grid params/default.yaml",),
    "report": ("medfl report --grid results/benchmark/benchmark.yaml --partial",),
    "publish": ("medfl publish --grid params/default.yaml --to published/phantom",),
    "plan": ("medfl plan results", "medfl plan results --differences 2,5 --power 90"),
    "attack": (
        "medfl attack inversion --arms none,dp-image",
        "medfl attack membership --dataset pneumoniamnist",
    ),
    "audit": ("medfl audit --output-dir results/audits",),
    "verify": ("medfl verify", "medfl verify --results results"),
    "schema": ("medfl schema",),
    "benchmark": (
        "medfl benchmark --alpha 0.1,0.5 --seeds 0-4 --dry-run",
        "medfl benchmark --algorithms fedavg,fedprox,scaffold --alpha 0.5 --seeds 0-4 --rounds 30",
        "medfl benchmark --dataset ham10000-64 --partition site --output-dir results/sites",
    ),
}


def examples(command: str) -> str:
    """The end of the help of a command."""
    return "\n  ".join(["examples:", *EXAMPLES[command]])


def names() -> str:
    """The arms, partitions and models that a benchmark may name."""
    from medfl.arms.named import read_arms
    from medfl.config import ARMS_FILE
    from medfl.models.registry import MODELS
    from medfl.partition import PARTITIONS
    from medfl.pipeline.launch import arms_file

    partitions = []
    for name in PARTITIONS:
        value = PARTITIONS.load(name).value
        partitions.append(name if value is None else f"{name}-{value.example}")
    arms: Iterable[str] = ()
    with suppress(MedflError):  # what uses them says what is wrong
        arms = read_arms(arms_file())
    lists: dict[str, Iterable[str]] = {
        f"arms ({ARMS_FILE})": arms,
        "partitions": partitions,
        "models": MODELS,
    }
    said = [
        textwrap.fill(
            f"{title}: {', '.join(found)}", 78, subsequent_indent="  ", break_on_hyphens=False
        )
        for title, found in lists.items()
    ]
    return "\n".join([*said, "datasets: `medfl datasets` lists them"])
