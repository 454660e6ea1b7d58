#!/usr/bin/env python3
"""A stand-in for the `medfl` command that writes every output of a step in milliseconds.

It is put first on PATH by the tests of the workflow, which count jobs and train nothing. Each call
is one line in calls.txt; a run whose folder matches FAKE_MEDFL_FAIL fails.
"""

import itertools
import json
import os
import sys
from pathlib import Path

words = sys.argv[1:]
if words == ["warm"]:  # no step: jobs may be forked from a process that this would leave
    sys.exit()
options = dict(itertools.pairwise(words))
with open("calls.txt", "a", encoding="utf-8") as file:
    file.write(" ".join(words) + "\n")


def put(folder, *names, text="x\n"):
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        Path(folder, name).write_text(text, encoding="utf-8")


if words[0] == "prepare":
    put(Path("data/prepared", words[1]), "dataset.yaml", "samples.csv", "images.npy")
elif words[0] == "split":
    target = Path(options["--output"])
    stem = target.stem
    content = f"{words[1]} {options['--partition']} {stem}\n"
    put(target.parent, target.name, f"{stem}.heterogeneity.json", f"{stem}.png", text=content)
elif words[0] == "run":
    folder = options["--output-dir"]
    fail = os.environ.get("FAKE_MEDFL_FAIL")
    if fail and fail in folder:
        sys.exit("medfl: this run was told to fail")
    put(folder, "config.yaml", "rounds.csv", "clients.csv", text=folder + "\n")
    if not os.environ.get("FAKE_MEDFL_WITHOUT_PREDICTIONS"):
        put(folder, "predictions.npz", text=folder + "\n")
    put(folder, "metrics.json", text=json.dumps({"threads": os.environ.get("OMP_NUM_THREADS")}))
elif words[0] == "choose":
    # A choice that is not of the grid's search would be made again at each start.
    sys.path.insert(0, os.getcwd())
    from medfl.grid import Cell, read_grid
    from medfl.results.paths import KEYS
    from medfl.tuning.choose import chosen_path
    from medfl.tuning.search import search_of

    grid, (*names, seed) = read_grid(options["--grid"]), [options[f"--{key}"] for key in KEYS]
    cell = Cell(*names, int(seed))
    search = search_of(grid, cell)
    ended = {"status": "completed", "validation": 0.5}
    points = [{"values": values, **ended} for values in search["points"]]
    content = {**search, "points": points, "chosen": 2, "values": points[1]["values"]}
    content |= {"metric": "accuracy", "data": {"store": "", "split": ""}}
    path = chosen_path(grid, cell, options["--results"])
    put(path.parent, path.name, text=json.dumps(content))
elif words[0] == "tuning":
    names = ("tuning.csv", *(f"best-of-k.{ending}" for ending in ("csv", "svg", "png")))
    put(Path(options["--results"], "tuning"), *names)
elif words[0] == "aggregate":
    runs = sorted(str(path) for path in Path(options["--results"], "runs").rglob("metrics.json"))
    put(options["--results"], "summary.csv", text="run\n" + "\n".join(runs) + "\n")
    put(options["--results"], "metrics.json", text=json.dumps({"runs": len(runs)}))
    tables = Path(options["--results"], "tables")
    put(tables, "comparison.csv", "comparison.md", "comparison.tex", "convergence.csv")
elif words[0] == "report":
    put(options["--results"], "report.html")
    put(Path(options["--results"], "figures"), "accuracy.png")
else:
    sys.exit(f"fake medfl: unknown command {words[0]}")
