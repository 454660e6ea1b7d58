"""What counts as slower, with spreads worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench_records import ELSEWHERE, HERE, figure, record

from benchmarks.comparison import (
    Earlier,
    compare_figures,
    compare_records,
    earlier_records,
    find_earlier,
)

THEN = (1.00, 1.01, 1.02, 1.03, 1.04)  # median 1.02, quartiles 1.01 and 1.03


def kind(now, then, **settings):
    earlier = Earlier(figure(ratios=then, **settings), Path("2026-03-01.json"), True)
    return compare_figures(figure(ratios=now, **settings), earlier).kind


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # Quartiles 1.06 and 1.08, median 1.07: 4.9 % above 1.02, and 1.06 > 1.03.
        ((1.05, 1.06, 1.07, 1.08, 1.09), "slower"),
        # Median 1.07 again, but the lower quartile 1.02 is within the old spread.
        ((1.00, 1.02, 1.07, 1.08, 1.09), "same"),
        # Beyond the spread (1.04 > 1.03), but by 2.9 % only.
        ((1.03, 1.04, 1.05, 1.06, 1.07), "same"),
        # Quartiles 0.96 and 0.98 lie below 1.01; 1.02 ÷ 0.97 = 1.052.
        ((0.95, 0.96, 0.97, 0.98, 0.99), "faster"),
        (THEN, "same"),
    ],
)
def test_slower_is_what_lies_beyond_both_spreads_by_three_per_cent(now, expected):
    assert kind(now, THEN) == expected


def test_of_few_pairs_the_spread_is_all_of_them():
    assert kind((1.10, 1.12, 1.20), (1.00, 1.02, 1.09)) == "slower"
    assert kind((1.10, 1.12, 1.20), (1.00, 1.02, 1.10)) == "same"  # they touch


def test_one_pair_must_differ_by_ten_per_cent():
    assert kind((1.11,), (1.00, 1.0, 1.0, 1.0)) == "slower"
    assert kind((1.09,), (1.00, 1.0, 1.0, 1.0)) == "same"
    assert kind((1.09, 1.09), (1.00, 1.0, 1.0, 1.0)) == "slower"


def test_rates_are_slower_where_they_are_lower():
    assert kind((900.0, 910.0), (1000.0, 1010.0), better="more") == "slower"
    assert kind((1100.0, 1110.0), (1000.0, 1010.0), better="more") == "faster"


def test_seconds_are_taken_beside_the_plain_loop():
    """20 s where the loop takes 0.2 s are as fast as 10 s where it takes 0.1 s."""
    then = Earlier(figure(ratios=(10.0, 10.1), unit="s", plain=(0.1, 0.1)), Path("a.json"), True)
    twice = figure(ratios=(20.0, 20.2), unit="s", plain=(0.19, 0.21))
    assert compare_figures(twice, then).kind == "same"
    assert compare_figures(twice, then).factor == pytest.approx(1.0)
    alone = figure(ratios=(20.0, 20.2), unit="s", plain=(0.1, 0.1))
    assert compare_figures(alone, then).kind == "slower"
    assert "20.1 (20 to 20.2, 2 pairs) s, was 10.1" in compare_figures(alone, then).words()
    assert "+100.0 % beside the plain loop" in compare_figures(alone, then).words()


def test_a_difference_below_its_noise_is_no_factor():
    assert kind((-0.1,), (0.2,)) == "same"
    assert kind((0.2,), (-0.1,)) == "same"


def test_the_last_measurement_on_a_machine_like_this_one_counts():
    now = figure()
    records = [
        (Path("other.json"), record(figure(), day=9, machine=ELSEWHERE)),
        (Path("without.json"), record(figure("start"), day=8)),
        (Path("last.json"), record(figure(), day=7)),
        (Path("first.json"), record(figure(), day=6)),
    ]
    found = find_earlier(now, HERE, records)
    assert (found.path.name, found.alike) == ("last.json", True)
    found = find_earlier(now, HERE, records[:2])
    assert (found.path.name, found.alike) == ("other.json", False)
    assert find_earlier(figure(unit="MiB"), HERE, records) is None  # of another unit


def test_seconds_and_rates_of_another_machine_are_no_measure():
    for settings in ({"unit": "s"}, {"unit": "images/s", "better": "more"}):
        records = [(Path("a.json"), record(figure(**settings), machine=ELSEWHERE))]
        assert find_earlier(figure(**settings), HERE, records) is None


def test_words_name_what_got_slower_the_worst_first():
    then = record(
        figure("a", (1.0, 1.0)), figure("b", (1.0, 1.0)), figure("c", (2.0, 2.0)), figure("gone"),
        figure("e", (1.0, 1.0)),
        figure("skipped", ()),
    )  # fmt: skip
    now = record(
        figure("a", (1.1, 1.1)), figure("b", (1.5, 1.5)), figure("c", (1.0, 1.0)),
        figure("d"), figure("e", (9.0, 9.0), waited=1.4), day=2,
    )  # fmt: skip
    assert compare_records(now, [(Path("2026-03-01.json"), then)]).lines() == [
        "Compared with 2026-03-01.json:",
        "  slower: b: 1.5 (1.5 to 1.5, 2 pairs), was 1 (1 to 1, 2 pairs) (2026-03-01.json)",
        "  slower: a: 1.1 (1.1 to 1.1, 2 pairs), was 1 (1 to 1, 2 pairs) (2026-03-01.json)",
        "  faster: c: 1 (1 to 1, 2 pairs), was 2 (2 to 2, 2 pairs) (2026-03-01.json)",
        "  2 figures slower, 1 faster, 0 within their spread, 1 new",
        "  not judged, as others kept the machine busy: e: 9 (9 to 9, 2 pairs), was 1 (1 to 1,"
        " 2 pairs) (2026-03-01.json)",
        "  not measured now: gone",
    ]


def test_a_figure_of_a_busy_machine_is_not_judged():
    then = Earlier(figure(ratios=(1.0, 1.0), waited=1.3), Path("a.json"), True)
    assert compare_figures(figure(ratios=(3.0, 3.0)), then).kind == "void"
    then = Earlier(figure(ratios=(1.0, 1.0), waited=1.1), Path("a.json"), True)
    assert compare_figures(figure(ratios=(3.0, 3.0)), then).kind == "slower"


def test_without_an_earlier_file_it_says_so():
    lines = compare_records(record(figure()), []).lines()
    assert lines == ["Nothing to compare with: no earlier results file has these figures."]


def test_earlier_files_are_read_newest_first_and_a_broken_one_is_told(tmp_path):
    for day in (3, 1, 2):
        record(figure(), day=day).write(tmp_path / f"{day}.json")
    (tmp_path / "broken.json").write_text('{"machine": ')
    told = []
    found = earlier_records(tmp_path, tmp_path / "2.json", told.append)
    assert [path.name for path, _ in found] == ["3.json", "1.json"]
    assert len(told) == 1
    assert "broken.json is no results file of a bench" in told[0]
