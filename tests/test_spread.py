"""Spread of tickets by several attempts at each: its estimate, its interval, and a profile's.

`python -m pytest -m slow tests/test_spread.py -s` prints a table of how often intervals hold.
"""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_models import CORPUS, KNOWLEDGE, SCENARIO, Skill, replies, write
from scipy import stats
from test_passes import TAU_BENCH
from typer.testing import CliRunner

from twin.assistant.difficulty import beta_chances
from twin.assistant.knowledge.knowledge import load_knowledge
from twin.assistant.profile import passes
from twin.assistant.recorded.measured import measure, reproduce
from twin.assistant.recorded.recorded_calls import read_sample
from twin.cli.app import app
from twin.common.errors import ScenarioError
from twin.demand.corpus import load_corpus
from twin.report.explain_assistant import profile_rests_on
from twin.scenario.file import load
from twin.scenario.model import Profile
from twin.stats.passes import (
    beta_is_refuted,
    beta_passes,
    fit_tickets,
    passed_all,
    passes_of,
    spread_of,
)
from twin.stats.spread import _counted, _likelihood, fit_spread

MODEL = "openai/gpt-oss-20b"


def drawn(rng, mean, spread, tickets, attempts):
    """Successes and failures of tickets of a spread."""
    own = beta_chances(mean, spread, rng.random(tickets))
    return [[1] * c + [0] * (attempts - c) for c in rng.binomial(attempts, own)]


def marked(rng, mean, spread, tickets, attempts, within=0.3):
    """Marks of tickets of a spread, which vary from attempt to attempt."""
    own = beta_chances(mean, spread, rng.random(tickets))
    return [beta_chances(np.full(attempts, p), within, rng.random(attempts)) for p in own]


def held(rng, make, cases, times):
    """Share of trials in which bounds hold, for each case."""
    shares = []
    for mean, spread, tickets, attempts in cases:
        bounds = [fit_spread(make(rng, mean, spread, tickets, attempts)) for _ in range(times)]
        known = [b for b in bounds if np.isfinite(b.value)]
        assert len(known) > 0.8 * times
        shares.append(float(np.mean([b.low <= spread <= b.high for b in known])))
    return shares


def test_the_likelihood_is_that_of_the_beta_binomial_distribution():
    pairs, times = _counted([np.array([1.0, 0.0, 0.0]), np.array([1.0, 1.0])])
    a, b = 0.6 * 1.5, 0.4 * 1.5
    told = stats.betabinom.logpmf([1, 2], [3, 2], a, b).sum() - np.log(3)
    assert _likelihood(0.6, 0.4, pairs, times) == pytest.approx(told)
    # Without spread, of coins.
    assert _likelihood(0.6, 0.0, pairs, times) == pytest.approx(
        np.log(0.6 * 0.4**2 * 0.6**2), rel=1e-5
    )


@pytest.mark.parametrize(("mean", "spread"), [(0.6, 0.5), (0.9, 0.2), (0.4, 0.0)])
def test_a_spread_is_found_as_it_was_drawn(mean, spread):
    rng = np.random.default_rng(1)
    for made in (drawn(rng, mean, spread, 3000, 4), marked(rng, mean, spread, 3000, 4)):
        found = fit_spread(made)
        assert found.mean == pytest.approx(mean, abs=0.02)
        assert found.value == pytest.approx(spread, abs=0.03)
        assert found.low <= found.value <= found.high
        assert (found.tickets, found.attempts) == (3000, 12_000)


def test_bounds_hold_as_often_as_they_say():
    rng = np.random.default_rng(2)
    cases = [(0.6, 0.5, 40, 4), (0.9, 0.2, 60, 2), (0.7, 0.0, 40, 3)]
    shares = held(rng, drawn, cases, 120)
    assert np.mean(shares) >= 0.93
    assert min(shares) >= 0.89
    # Marks tell more than successes, and their bounds take them for these.
    assert min(held(rng, marked, [(0.8, 0.3, 40, 4)], 60)) >= 0.93


@pytest.mark.parametrize(
    "chances", [[0.0, 1.0, 0.75], [0.02, 0.98, 0.98], [0.3, 0.3, 0.9]], ids=["never", "two", "hard"]
)
def test_bounds_hold_of_tickets_that_are_not_beta_distributed(chances):
    """As `twin profile` tells them beside tickets that it keeps one by one."""
    rng, held_, trials = np.random.default_rng(4), 0, 60
    for _ in range(trials):
        wins = rng.binomial(4, rng.choice(chances, 150))
        found = fit_spread([[1] * c + [0] * (4 - c) for c in wins])
        held_ += found.low <= spread_of(chances) <= found.high
    print(chances, held_ / trials)
    # Two standard errors of 60 trials at 95 % are .056.
    assert held_ >= 0.89 * trials


@pytest.mark.slow
def test_bounds_hold_on_many_kinds_of_tickets():
    rng, shares = np.random.default_rng(3), []
    for make in (drawn, marked):
        print(f"\n{make.__name__}: mean spread tickets attempts held")
        for mean in (0.6, 0.9):
            for spread in (0.0, 0.2, 0.5, 0.8):
                for tickets in (20, 60, 200):
                    for attempts in (2, 4):
                        case = (mean, spread, tickets, attempts)
                        shares += held(rng, make, [case], 150)
                        print(*case, shares[-1])
    print("mean", np.mean(shares), "least", np.min(shares))
    assert np.mean(shares) >= 0.95
    # Where few tickets differ from the rest; two standard errors of 150 trials are 0.036.
    assert np.quantile(shares, 0.05) >= 0.88


@given(st.lists(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=1, max_size=4), max_size=12))
@settings(max_examples=40, deadline=None)
def test_whatever_was_tried_the_answer_is_a_spread_or_not_known(marks):
    found = fit_spread(marks)
    assert found.tickets == sum(len(each) > 1 for each in marks)
    if np.isfinite(found.value):
        assert 0 <= found.low <= found.value <= found.high <= 1
        again = fit_spread([each[::-1] for each in marks[::-1]])
        assert again.value == pytest.approx(found.value, abs=2e-3)
    else:
        flat = [mark for each in marks for mark in each]
        assert not found.tickets or set(flat) in ({0.0}, {1.0})


@pytest.mark.parametrize("name", TAU_BENCH)
def test_published_tickets_recorded_at_four_attempts_give_their_passes_again(name):
    """Tickets with the published pass^k, fitted as `twin profile` does: what it would have said."""
    told = np.array(TAU_BENCH[name])
    found = fit_spread([[p] * 4 for p in fit_tickets(told)])
    apart = np.abs(beta_passes(found.mean, found.value, 4) - told)
    assert apart[:3].max() < 0.01
    # No beta distribution has a pass^4 of gpt-4o airline beside its others: see `test_passes`.
    assert apart[3] < (0.035 if name == "gpt-4o airline" else 0.01)


def sample_of(folder, skill, tickets=120, samples=4, seed=1):
    path = write(folder / "r.jsonl", replies(MODEL, skill, tickets, samples, seed))
    return read_sample(path, load_corpus(str(CORPUS)), load_knowledge(str(KNOWLEDGE)))


def test_a_recording_of_several_attempts_gives_a_profile_its_spread(tmp_path):
    sample = sample_of(tmp_path, Skill(0.7, 0.5))
    made = measure(sample)
    seen = made["measured"]["category_spread"]
    assert (seen["tickets"], seen["attempts"]) == (120, 480)
    assert seen["low"] < made["difficulty"]["category"] < seen["high"]
    assert seen["low"] < 0.5
    # What the profile plays has the recorded success at each of k attempts, with its categories.
    fit = reproduce(sample, made).set_index(["step", "figure"])
    for k in (2, 3, 4):
        row = fit.loc[("categorize", f"right at each of {k}")]
        assert row["profile"] == pytest.approx(row["recorded"], abs=0.05)
        coin = fit.loc[("categorize", "accuracy"), "recorded"] ** k
        assert row["recorded"] > coin + 0.05


def answered(sample, chances, rng):
    """Give the answers of a recording marks of 1 or 0, each ticket's with a chance of its own."""
    calls = sample.steps["respond"]
    texts = np.unique(calls.text)
    own = rng.permutation(chances(len(texts)))
    calls.quality[:] = rng.random(len(calls)) < own[np.searchsorted(texts, calls.text)]
    return sample


def apart(sample, made):
    """Largest difference between success at each of k attempts as recorded and as played."""
    fit = reproduce(sample, made).set_index(["step", "figure"]).loc["respond"]
    rows = fit[fit.index.str.startswith("good at each of")]
    assert list(rows.index) == [f"good at each of {k}" for k in (2, 3, 4)]
    return (rows["profile"] - rows["recorded"]).abs().max()


@pytest.mark.parametrize("name", TAU_BENCH)
def test_a_profile_of_answers_plays_the_recorded_passes(tmp_path, name):
    """Published tickets at four attempts each: one run refutes beta distributions (test_passes)."""
    sample = sample_of(tmp_path, Skill(1.0, 0.0), tickets=150)
    answered(sample, lambda n: fit_tickets(TAU_BENCH[name], n), np.random.default_rng(1))
    made = measure(sample)
    assert set(made["difficulty"]) == {"tickets" if name == "gpt-4o airline" else "answer"}
    assert apart(sample, made) < 0.03


@pytest.mark.parametrize(("mean", "spread"), [(0.6, 0.5), (0.3, 0.3), (0.85, 0.6)])
def test_a_beta_distribution_is_seldom_refuted_by_its_own_tickets(mean, spread):
    rng = np.random.default_rng(4)
    refuted = 0
    for _ in range(100):
        marks = drawn(rng, mean, spread, 100, 4)
        refuted += beta_is_refuted(passes_of(marks, 4)[1], [4] * 100, rng, trials=60)
    # Of 100 trials at one in twenty, 11 or more are seen in one of a hundred.
    assert refuted <= 10


def test_tickets_are_kept_one_by_one_only_where_no_beta_distribution_does(tmp_path):
    rng = np.random.default_rng(3)
    sample = sample_of(tmp_path, Skill(1.0, 0.0), tickets=150)
    # Half of them never, the others mostly: a beta distribution has .03 more at three attempts.
    answered(sample, lambda n: np.repeat([0.0, 0.75], [n // 2, n - n // 2]), rng)
    made = measure(sample)
    own = made["difficulty"]["tickets"]
    assert "answer" not in made["difficulty"]
    assert len(own) == 200
    calls = sample.steps["respond"]
    told = passes_of([calls.quality[calls.text == text] for text in np.unique(calls.text)], 4)[1]
    np.testing.assert_allclose([np.mean(np.power(own, k)) for k in range(1, 5)], told, atol=0.01)
    assert apart(sample, made) < 0.02
    assert made["measured"]["answer_spread"]["low"] < spread_of(own)
    assert Profile.model_validate(made).difficulty.tickets == own
    told = " ".join(profile_rests_on(Profile.model_validate(made), True))
    assert f"alike in answering by a correlation of {spread_of(own):.2f}" in told
    # Three attempts say nothing of a fourth, two nothing of the shape.
    two = answered(sample_of(tmp_path, Skill(1.0, 0.0), 150, 2), lambda n: np.full(n, 0.5), rng)
    assert "tickets" not in measure(two).get("difficulty", {})


@given(st.lists(st.lists(st.sampled_from([0, 1]), min_size=1, max_size=6), min_size=1))
@settings(max_examples=60, deadline=None)
def test_passes_of_right_and_wrong_are_shares_of_choices_that_all_passed(marks):
    tickets, passes = passes_of(marks, 4)
    for k in range(1, 5):
        shares = passed_all([sum(each) for each in marks], [len(each) for each in marks], k)
        assert tickets[k - 1] == np.isfinite(shares).sum()
        if tickets[k - 1]:
            assert passes[k - 1] == pytest.approx(np.nanmean(shares))


def test_passes_of_chances_are_without_bias():
    rng = np.random.default_rng(2)
    own = np.array([0.1, 0.5, 0.9])
    marks = [np.clip(p + rng.uniform(-0.1, 0.1, 5), 0, 1) for p in np.repeat(own, 4000)]
    found = passes_of(marks, 4)[1]
    np.testing.assert_allclose(found, [np.mean(own**k) for k in range(1, 5)], atol=0.003)


def test_categories_that_differ_are_not_counted_twice(tmp_path):
    """Tickets that are coins within their category: the spread is what categories leave."""
    corpus = load_corpus(str(CORPUS))
    sample = sample_of(tmp_path, Skill(0.7, 0.0), tickets=150, samples=8)
    calls = sample.steps["categorize"]
    # Half of the categories are found at nearly all attempts, the others at every second one.
    rng = np.random.default_rng(4)
    easy = calls.truth < len(corpus.categories) / 2
    right = rng.random(len(calls)) < np.where(easy, 0.9, 0.5)
    calls.said[:] = np.where(right, calls.truth, (calls.truth + 1) % 10)
    texts = np.unique(calls.text)
    assert fit_spread([right[calls.text == text].astype(float) for text in texts]).low > 0.08
    made = measure(sample)
    assert made["difficulty"]["category"] < 0.03
    assert made["measured"]["category_spread"]["low"] == 0


def test_one_attempt_a_ticket_tells_no_spread(tmp_path):
    made = measure(sample_of(tmp_path, Skill(0.7, 0.5), samples=1))
    assert "difficulty" not in made
    assert "category_spread" not in made["measured"]
    few = measure(sample_of(tmp_path, Skill(0.7, 0.5), tickets=9, samples=4))
    assert "difficulty" not in few


def test_the_command_writes_a_scenario_that_says_it(tmp_path):
    path = write(tmp_path / "r.jsonl", replies(MODEL, Skill(0.7, 0.5), 60, 3))
    new = tmp_path / "new.toml"
    words = ["profile", str(path), "--scenario", str(SCENARIO), "--out", str(new)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "right at each of 3" in done.output
    assert "go alike in finding the category" in done.output
    desk = load(new)
    assert desk.assistant.profile.difficulty.category > 0.1
    categories = load_corpus(str(CORPUS)).categories
    found = passes(desk, categories)
    assert found[3] > found[0] ** 4 + 0.05
    with pytest.raises(ScenarioError, match="low must not be above high"):
        desk.vary({"assistant.profile.measured.category_spread.low": 0.99})
    told = json.loads(CliRunner().invoke(app, [*words[:4], "--json"]).stdout)
    assert told["profile"]["difficulty"]["category"] == desk.assistant.profile.difficulty.category
