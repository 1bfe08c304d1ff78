"""Agreement of judges: by hand, of known reliability, and means that people would give."""

import numpy as np
import pytest

from twin.stats.agreement import alpha, alpha_bounds, calibrated_mean


def test_alpha_by_hand():
    # Two judges, four answers: observed (1 + 0 + 0 + 1) / 4, expected over the 28 pairs of 8.
    values = np.array([1, 2, 3, 4, 2, 2, 3, 3], dtype=float)
    pairs = np.subtract.outer(values, values) ** 2
    assert alpha([values[:4], values[4:]]) == pytest.approx(1 - 0.5 / (pairs.sum() / (8 * 7)))


def test_alpha_leaves_out_what_only_one_judge_rated():
    nan = np.nan
    assert alpha([[1, 2, 3, 9], [1, 2, 4, nan]]) == alpha([[1, 2, 3], [1, 2, 4]])
    assert np.isnan(alpha([[1, nan], [nan, 2]]))
    assert np.isnan(alpha([[3, 3], [3, 3]]))


def judges(rng, answers, reliability, number=2):
    shared = rng.standard_normal(answers) * np.sqrt(reliability)
    return shared + rng.standard_normal((number, answers)) * np.sqrt(1 - reliability)


def test_alpha_of_judges_is_their_reliability_and_its_interval_holds():
    rng = np.random.default_rng(1)
    for reliability in (0.0, 0.4, 0.8):
        assert alpha(judges(rng, 40_000, reliability, 3)) == pytest.approx(reliability, abs=0.015)


@pytest.mark.parametrize(("answers", "reliability", "stars"), [(20, 0.6, True), (60, 0.2, False)])
def test_bounds_of_alpha_hold_as_often_as_they_say(answers, reliability, stars):
    rng = np.random.default_rng(3)

    def rated(n):
        made = judges(rng, n, reliability)
        return np.clip(np.round(made + 3), 1, 5) if stars else made

    truth, held = alpha(rated(400_000)), []
    for _ in range(400):
        _, low, high = alpha_bounds(rated(answers))
        held.append(low <= truth <= high)
    assert 0.925 < np.mean(held) < 0.985


def test_answers_to_one_ticket_are_not_taken_for_independent():
    rng = np.random.default_rng(4)
    apart, together = [], []
    for _ in range(200):
        # Each ticket's marks four times over: as much is known as of one of them.
        marks = np.repeat(judges(rng, 20, 0.6), 4, axis=1)
        tickets = np.repeat(np.arange(20), 4)
        for held, groups in ((apart, None), (together, tickets)):
            _, low, high = alpha_bounds(marks, groups)
            held.append(low <= 0.6 <= high)
    assert np.mean(together) > 0.9
    assert np.mean(apart) < 0.8


def test_of_few_tickets_and_of_full_agreement_no_bounds_are_told():
    assert np.isnan(alpha_bounds([[1, 2, 3, 4], [1, 2, 4, 4]])[1:]).all()
    value, low, high = alpha_bounds([range(9), range(9)])
    assert value == 1
    assert np.isnan([low, high]).all()
    assert np.isnan(alpha_bounds([[3] * 9, [3] * 9])).all()


def test_a_calibrated_mean_holds_with_a_good_judge_a_bad_one_and_a_biased_one():
    rng, width = np.random.default_rng(2), {}
    for name, slope, noise, bias in (("good", 1, 0.3, 0), ("none", 0, 1, 0), ("off", 1, 0.3, 2)):
        held, wide = [], []
        for _ in range(400):
            people = rng.standard_normal(400)
            judged = slope * people + noise * rng.standard_normal(400) + bias
            rated = np.where(np.arange(400) < 40, people, np.nan)
            _, low, high = calibrated_mean(judged, rated)
            held.append(low <= 0 <= high)
            wide.append(high - low)
        width[name] = np.mean(wide)
        assert 0.92 < np.mean(held) < 0.98, name
    assert width["good"] < 0.6 * width["none"]
    assert width["off"] == pytest.approx(width["good"], rel=0.05)
    assert np.isnan(calibrated_mean([1.0, 2.0], [np.nan, 2.0])).all()
