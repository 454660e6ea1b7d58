"""Medical metrics against scikit-learn on random cases, and by hand."""

import json
import math

import numpy as np
import pytest
from sklearn import metrics as sk

from medfl.errors import MedflError
from medfl.metrics import evaluate
from medfl.metrics.inputs import BRIEF

CLASSES = ("a", "b", "c", "d")


def random_case(seed, n=60, k=4, present=None):
    rng = np.random.default_rng(seed)
    present = range(k) if present is None else present
    labels = rng.choice(list(present), n)
    logits = rng.normal(size=(n, k)) + 1.2 * np.eye(k)[labels]
    # Quarter steps give many tied scores, some of them tied between classes too.
    logits = np.round(logits * 4) / 4 if seed % 2 else logits
    p = np.exp(logits)
    return p / p.sum(1, keepdims=True), labels


@pytest.mark.parametrize("seed", range(20))
def test_multiclass_agrees_with_scikit_learn(seed):
    p, y = random_case(seed)
    guess = p.argmax(1)
    result = evaluate(p, y, CLASSES)
    expected = {
        "accuracy": sk.accuracy_score(y, guess),
        "balanced_accuracy": sk.balanced_accuracy_score(y, guess),
        "auc_macro": sk.roc_auc_score(y, p, multi_class="ovr", average="macro"),
        "f1_macro": sk.f1_score(y, guess, average="macro"),
        "precision_macro": sk.precision_score(y, guess, average="macro", zero_division=0),
        "sensitivity_macro": sk.recall_score(y, guess, average="macro"),
        "kappa": sk.cohen_kappa_score(y, guess),
        "log_loss": sk.log_loss(y, p),
    }
    assert {name: result[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert result["confusion"] == sk.confusion_matrix(y, guess).tolist()
    for k, name in enumerate(CLASSES):
        (tn, fp), _ = sk.confusion_matrix(y == k, guess == k)
        assert result["per_class"][name]["specificity"] == pytest.approx(tn / (tn + fp))
        assert result["per_class"][name]["auc"] == pytest.approx(sk.roc_auc_score(y == k, p[:, k]))
        assert result["per_class"][name]["n"] == (y == k).sum()
    assert result["undefined"] == []


@pytest.mark.parametrize("seed", range(10))
def test_absent_classes_are_none_and_left_out_of_means(seed):
    p, y = random_case(seed, present=(0, 2, 3))
    guess = p.argmax(1)
    result = evaluate(p, y, CLASSES)
    assert (guess == 1).any()  # the absent class is predicted: its 0 must not enter a mean
    assert result["per_class"]["b"] == {
        "n": 0,
        "auc": None,
        "sensitivity": None,
        "specificity": None,
        "precision": None,
        "f1": None,
    }
    assert result["undefined"] == ["b: no sample"]
    assert set(result["averaged_over"].values()) == {3}
    kept = [0, 2, 3]
    aucs = [sk.roc_auc_score(y == k, p[:, k]) for k in kept]
    assert result["auc_macro"] == pytest.approx(np.mean(aucs))
    recall = sk.recall_score(y, guess, labels=kept, average="macro")
    assert result["balanced_accuracy"] == pytest.approx(recall)
    f1 = sk.f1_score(y, guess, labels=kept, average="macro")
    assert result["f1_macro"] == pytest.approx(f1)
    assert result["kappa"] == pytest.approx(sk.cohen_kappa_score(y, guess))


@pytest.mark.parametrize("seed", range(10))
def test_multilabel_agrees_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    y = (rng.random((80, 4)) < [0.2, 0.5, 0.8, 0.4]).astype(np.int64)
    p = np.round(np.clip(0.3 * y + 0.8 * rng.random((80, 4)), 0, 1), 2)
    guess = p >= 0.5
    result = evaluate(p, y, CLASSES, "multilabel")
    expected = {
        "accuracy": np.mean([sk.accuracy_score(y[:, k], guess[:, k]) for k in range(4)]),
        "subset_accuracy": sk.accuracy_score(y, guess),
        "balanced_accuracy": np.mean(
            [sk.balanced_accuracy_score(y[:, k], guess[:, k]) for k in range(4)]
        ),
        "auc_macro": sk.roc_auc_score(y, p, average="macro"),
        "f1_macro": sk.f1_score(y, guess, average="macro"),
        "precision_macro": sk.precision_score(y, guess, average="macro"),
        "kappa": np.mean([sk.cohen_kappa_score(y[:, k], guess[:, k]) for k in range(4)]),
        "log_loss": np.mean([sk.log_loss(y[:, k], p[:, k]) for k in range(4)]),
    }
    assert {name: result[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert "confusion" not in result


def test_balanced_accuracy_is_averaged_over_labels_of_both_kinds():
    """Of four labels two are on some images and not on others."""
    truth = np.array([[1, 0, 1, 0], [0, 1, 1, 0], [1, 1, 1, 0]])
    found = evaluate(np.full((3, 4), 0.5), truth, ["a", "b", "always", "never"], "multilabel")
    assert found["averaged_over"]["balanced_accuracy"] == 2


def test_multilabel_label_without_positives_or_without_negatives():
    y = np.array([[0, 1, 1], [0, 1, 0], [0, 1, 1], [0, 1, 0]])
    p = np.array([[0.1, 0.9, 0.9], [0.6, 0.4, 0.2], [0.2, 0.8, 0.3], [0.3, 0.7, 0.4]])
    result = evaluate(p, y, ("none", "all", "half"), "multilabel")
    assert result["per_class"]["none"]["sensitivity"] is None
    assert result["per_class"]["all"] == {
        "n": 4,
        "auc": None,
        "sensitivity": 0.75,
        "specificity": None,
        "precision": 1.0,
        "f1": pytest.approx(6 / 7),
    }
    # Label "half": guesses 1 0 0 0 of 1 0 1 0; positives score .9 and .3, negatives .2 and .4.
    assert result["auc_macro"] == 0.75
    assert result["balanced_accuracy"] == 0.75  # sensitivity 1/2, specificity 1
    assert result["kappa"] == 0.5  # agreement 3/4 where chance gives 1/2
    assert result["accuracy"] == pytest.approx((3 + 3 + 3) / 12)
    assert result["subset_accuracy"] == 0.5  # the first and the last row
    # "half" alone has both kinds of samples; "all" has a sensitivity, too, and "none" has neither.
    over = {"balanced_accuracy": 1, "auc_macro": 1, "sensitivity_macro": 2}
    assert {name: result["averaged_over"][name] for name in over} == over
    assert result["undefined"] == [
        "none: no sample",
        "all: auc and specificity, as all samples have it",
    ]


def test_multiclass_by_hand():
    p = np.array([[0.7, 0.2, 0.1], [0.4, 0.5, 0.1], [0.2, 0.6, 0.2], [0.6, 0.3, 0.1]])
    result = evaluate(p, np.array([0, 0, 1, 2]), ("a", "b", "c"))
    assert result["confusion"] == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]
    assert result["accuracy"] == 0.5
    assert result["balanced_accuracy"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert result["specificity_macro"] == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert result["precision_macro"] == pytest.approx((0.5 + 0.5 + 0) / 3)
    # a: .7 .4 against .2 .6 wins 3 of 4; b: .6 against .2 .5 .3 wins 3; c: .1 against .1 .1 .2
    # wins 0 and ties 2.
    aucs = [result["per_class"][name]["auc"] for name in "abc"]
    assert aucs == pytest.approx([3 / 4, 1, 1 / 3])
    # agreement 1/2; chance (2·2 + 1·2 + 1·0) / 16 = 3/8
    assert result["kappa"] == pytest.approx((1 / 2 - 3 / 8) / (1 - 3 / 8))
    assert result["log_loss"] == pytest.approx(-math.log(0.7 * 0.4 * 0.6 * 0.1) / 4)
    # bins of .7 | .5 | .6 .6: |.7 - 1|, |.5 - 0|, |1.2 - 1|
    assert result["ece"] == pytest.approx((0.3 + 0.5 + 0.2) / 4)
    assert result["undefined"] == ["c: precision, as it was never predicted (counted as 0)"]


def test_one_class_alone():
    p = np.array([[0.9, 0.1], [0.8, 0.2]])
    result = evaluate(p, np.array([0, 0]), ("a", "b"))
    assert result["accuracy"] == result["balanced_accuracy"] == result["f1_macro"] == 1
    assert result["auc_macro"] is result["kappa"] is result["specificity_macro"] is None
    assert result["undefined"] == [
        "a: auc and specificity, as all samples have it",
        "b: no sample",
        "kappa: no two classes to tell apart",
    ]


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_empty_fold_has_the_same_keys_and_no_numbers(task):
    k = len(CLASSES)
    shape, one = ((0,), (1,)) if task == "multiclass" else ((0, k), (1, k))
    empty = evaluate(np.zeros((0, k)), np.zeros(shape, int), CLASSES, task)
    full = evaluate(np.full((1, k), 1 / k), np.zeros(one, int), CLASSES, task)
    assert set(empty) == set(full)
    assert empty["n"] == 0
    assert empty["accuracy"] is empty["auc_macro"] is empty["log_loss"] is None
    assert empty["undefined"] == ["all metrics: there is no sample"]
    brief = evaluate(np.zeros((0, k)), np.zeros(shape, int), CLASSES, task, brief=True)
    assert set(brief.values()) == {0, None}


@pytest.mark.parametrize("present", [None, (1, 2)])
def test_brief_gives_the_same_numbers(present):
    p, y = random_case(3, present=present)
    full, brief = evaluate(p, y, CLASSES), evaluate(p, y, CLASSES, brief=True)
    assert set(brief) == {"n", *BRIEF}
    assert brief == {name: full[name] for name in brief}
    truth = np.eye(4, dtype=int)[y]
    full = evaluate(p, truth, CLASSES, "multilabel")
    brief = evaluate(p, truth, CLASSES, "multilabel", brief=True)
    assert brief == {name: full[name] for name in brief}


def test_results_are_plain_json():
    p, y = random_case(1, present=(0,))
    json.dumps(evaluate(p, y, CLASSES), allow_nan=False)
    json.dumps(evaluate(p, np.eye(4, dtype=int)[y], CLASSES, "multilabel"), allow_nan=False)


def test_certain_and_wrong_is_finite():
    result = evaluate([[1.0, 0.0]], [1], ("a", "b"))
    assert result["log_loss"] == pytest.approx(52 * math.log(2))
    assert result["ece"] == 1


@pytest.mark.parametrize(
    ("p", "y", "task", "message"),
    [
        ([[np.nan, 1.0]], [0], "multiclass", "NaN"),
        ([[np.inf, 1.0]], [[0, 1]], "multilabel", "NaN or infinity"),
        ([[-2.0, 3.0]], [0], "multiclass", "softmax or sigmoid"),
        ([[-0.5, 0.7]], [[0, 1]], "multilabel", r"lie in \[-0.5, 0.7\]: pass softmax or sigmoid"),
        ([[0.9, 0.9]], [0], "multiclass", "sum to 1"),
        ([[0.5, 0.5]], [2], "multiclass", "outside 0 to 1"),
        ([[0.5, 0.5]], [-1], "multiclass", "outside 0 to 1"),
        ([[0.5, 0.5], [0.5, 0.5]], [-1, 1], "multiclass", "outside 0 to 1"),
        ([[0.5, 0.5]], [[2, 0]], "multilabel", "outside 0 to 1"),
        ([[0.5, 0.5]], [0.0], "multiclass", "not integers"),
        ([[0.5, 0.5]], [0, 1], "multiclass", "shape"),
        ([[0.5, 0.5]], [0], "multilabel", "shape"),
        ([[0.2, 0.3, 0.5]], [0], "multiclass", "shape"),
        ([[0.5, 0.5]], [0], "regression", "must be multiclass or multilabel"),
    ],
)
def test_bad_input_is_refused(p, y, task, message):
    with pytest.raises(MedflError, match=message):
        evaluate(p, y, ("a", "b"), task)
