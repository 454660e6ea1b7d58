"""The verdict on ways to train clients, from made-up figures."""

from __future__ import annotations

from benchmarks.on_gpu.verdict import conclude
from benchmarks.timing import Result


def way(name, shape, ratios, same=True, difference=0.0, repeats=True):
    facts = {"shape": shape, "way": name, "same_bits": same, "repeats": repeats}
    return Result(f"{name}, {shape}", list(ratios), facts=facts | {"difference": difference})


FAST, FASTER, SLOW = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), (2.0, 2.0, 2.0)


def test_the_fastest_way_that_keeps_bits_everywhere_is_to_be_the_default():
    found = conclude(
        [
            Result("images", [900.0], unit="images/s"),
            way("graphs", "cnn", (0.4, 0.5, 0.6)),
            way("graphs", "resnet", (0.8, 0.8, 0.8)),
            way("torch.func", "cnn", FASTER, same=False, difference=3e-7),
            way("torch.func", "resnet", FASTER),
            way("streams", "cnn", (0.9, 0.9, 0.9)),
            way("streams", "resnet", (0.9, 0.9, 0.9)),
        ]
    )
    assert found == [
        "cnn, time ÷ clients one after another: torch.func 0.25 (0.25 to 0.25) with other bits (by"
        " up to 3.0e-07); graphs 0.50 (0.40 to 0.60) to the same bits; streams 0.90 (0.90 to 0.90)"
        " to the same bits.",
        "resnet, time ÷ clients one after another: torch.func 0.25 (0.25 to 0.25) to the same bits;"
        " graphs 0.80 (0.80 to 0.80) to the same bits; streams 0.90 (0.90 to 0.90) to the same"
        " bits.",
        # √(0.5 × 0.8) = 0.632
        "Verdict: graphs is to be the default: it takes 0.63 of the time (mean over 2 networks), to"
        " the same bits everywhere.",
        "torch.func (0.25) stays off: it gives other bits on cnn.",
    ]


def test_a_way_that_is_slower_somewhere_is_no_default():
    found = conclude([way("streams", "cnn", FASTER), way("streams", "resnet", SLOW)])
    assert found[2:] == [
        "Verdict: clients one after another stay the default.",
        "streams (0.71) stays off: it is slower on resnet.",  # √(0.25 × 2)
    ]


def test_a_way_that_was_left_out_somewhere_is_no_default():
    graphs = [way("graphs", shape, SLOW) for shape in ("cnn", "x")]
    found = conclude([way("func", "cnn", FAST), *graphs])
    assert found[2:] == [
        "Verdict: clients one after another stay the default.",
        "func (0.50) stays off: it was not measured on x.",
    ]


def test_what_is_within_its_spread_is_no_gain():
    found = conclude([way("streams", "cnn", (0.8, 0.9, 1.1))])
    assert found[1:] == [
        "Verdict: clients one after another stay the default.",
        "streams (0.90) stays off: it is faster nowhere beyond its spread.",
    ]


def test_bits_that_do_not_repeat_by_themselves_are_said():
    found = conclude([way("graphs", "cnn", FAST, same=False, difference=1e-3, repeats=False)])
    assert found[1] == "cnn: clients one after another do not repeat their own bits."
    assert found[2] == "Verdict: clients one after another stay the default."


def test_without_figures_nothing_is_decided():
    assert conclude([Result("GPU", note="none")]) == [
        "No way to train clients was measured: clients stay one after another."
    ]
