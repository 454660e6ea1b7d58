"""What makes a finished run stale, on a copy of the package that is edited as a person would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from stamp import stamp_copy

ROOT = Path(__file__).resolve().parents[1]
# Trains the run unless it is there; the last line says which.
RUN = """
import sys, time
from pathlib import Path
from federations import small_store, split_of
from medfl.config import FederatedConfig
from medfl.store import Sample, write_store
from medfl.errors import MedflError
from medfl.federated.run import execute

if not Path("store").exists():
    memory = small_store(60, size=8)
    samples = [
        Sample(f"s{i}", (memory.info.classes[k],), f"g{i}") for i, k in enumerate(memory.labels)
    ]
    store = write_store("store", memory.info, samples, memory.images)
    Path("iid").mkdir()
    split_of(store, [12, 16, 8]).write("iid/seed0.csv")
config = FederatedConfig(
    algorithm="fedprox", dataset="test", partition="iid", rounds=1, model="logistic",
    num_clients=3, device="cpu",
)
model = Path("run/model.safetensors")
before = model.stat().st_mtime_ns if model.exists() else None
try:
    execute(config, Path("store"), Path("iid/seed0.csv"), Path("run"))
    print("kept" if model.stat().st_mtime_ns == before else "trained")
except MedflError as error:
    print(f"stale: {error}")
"""


class Copy:
    """The package in a folder of its own, whose sources count as stamped at the start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "medfl", folder / "medfl", ignore=ignore)
        stamp_copy(folder)

    def run(self) -> str:
        path = os.pathsep.join([str(self.folder), str(ROOT / "tests")])
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", RUN]
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().splitlines()[-1]

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / "medfl" / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (name, old)
        path.write_text(text.replace(old, new), encoding="utf-8")

    def append(self, name: str, text: str) -> None:
        with open(self.folder / "medfl" / name, "a", encoding="utf-8") as file:
            file.write(text)


@pytest.mark.slow
def test_a_run_outlives_a_new_feature_and_no_change_of_its_numbers(tmp_path):
    medfl = Copy(tmp_path)
    assert medfl.run() == "trained"

    # A feature is added: a section that is neutral, an edited module, a comment in the engine.
    medfl.append(
        "config/sections.py",
        "\n\nclass Sharing(Section):\n"
        "    strength: float = Field(0.0, json_schema_extra=neutral(0.0))\n",
    )
    medfl.edit(
        "config/run.py",
        "    privacy: Privacy = Privacy()\n",
        "    privacy: Privacy = Privacy()\n    sharing: Sharing = Sharing()\n",
    )
    medfl.edit(
        "config/run.py",
        "from medfl.config.sections import ",
        "from medfl.config.sections import Sharing\nfrom medfl.config.sections import ",
    )
    medfl.append("report/tables.py", "\n# Another look.\n")
    medfl.append("federated/client.py", "\n# Said better.\n")
    stamp_copy(tmp_path)
    assert medfl.run() == "kept"

    # An algorithm is edited: its sources are no longer those that the golden test knows.
    medfl.append("algorithms/fedprox.py", "\n# Perhaps more than a comment.\n")
    said = medfl.run()
    assert said.startswith("stale:")
    assert re.search(r"other code or data \(code: engine \d+, algorithm fedprox \d+, ", said)
    # Another algorithm than the run's does not touch it.
    medfl.edit("algorithms/fedprox.py", "\n# Perhaps more than a comment.\n", "")
    medfl.append("algorithms/moon.py", "\n# Edited.\n")
    assert medfl.run() == "kept"

    # A default that stands in no key of a run is edited.
    medfl.edit("algorithms/moon.py", "\n# Edited.\n", "")
    medfl.edit(
        "config/sections.py",
        "default_epochs: ClassVar[int] = 1",
        "default_epochs: ClassVar[int] = 2",
    )
    assert medfl.run().startswith("stale:")
    medfl.edit(
        "config/sections.py",
        "default_epochs: ClassVar[int] = 2",
        "default_epochs: ClassVar[int] = 1",
    )
    assert medfl.run() == "kept"

    # Its numbers changed: the version is raised, and all is stamped.
    medfl.append("algorithms/registry.py", '\nALGORITHMS._versions["fedprox"] = 99\n')
    stamp_copy(tmp_path)
    said = medfl.run()
    assert said.startswith("stale:")
    assert re.search(r"now engine \d+, algorithm fedprox 99, model logistic", said)
