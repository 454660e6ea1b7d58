"""Records of a bench with made-up figures."""

from __future__ import annotations

from benchmarks.results_file import Figure, Machine, Part, Record

HERE = Machine("Some CPU", 2, 24, system="Linux 6")
ELSEWHERE = Machine("Another CPU", 8, 64, system="Linux 6")


def figure(name="round ÷ loop", ratios=(1.0, 1.02, 1.04), plain=(0.1, 0.1), **settings):
    return Figure(name, list(ratios), plain=list(plain), **settings)


def record(*figures, day=1, machine=HERE, part="rounds", **settings):
    made = Part(f"2026-03-{day:02}T12:00:00+00:00", 60.0, "abc", 0.5, list(figures), **settings)
    return Record(machine, {"python": "3.11.7"}, {part: made})
