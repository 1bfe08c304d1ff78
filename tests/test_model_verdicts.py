"""Verdicts on recorded models: how often they are wrong, and what a plan of tickets is worth.

`python -m pytest -m slow tests/test_model_verdicts.py -s` prints figures of more trials.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import special

from twin.assistant.difficulty import beta_chances
from twin.assistant.recorded.attempts import Attempts
from twin.experiments import model_table as figures
from twin.report.models import sentences
from twin.stats.pass_plan import Skill

ONE, OTHER = Skill(0.6, 0.5), Skill(0.72, 0.45)


def recorded(rng, skills, tickets, tries, together=0.7):
    """Attempts of models at the same tickets, of which some are hard for all."""
    shared = rng.standard_normal(tickets)
    models = []
    for number, skill in enumerate(skills):
        z = together * shared + np.sqrt(1 - together**2) * rng.standard_normal(tickets)
        own = beta_chances(skill.mean, skill.spread, special.ndtr(z))
        solved = rng.random((tries, tickets)) < own
        table = pd.DataFrame(
            {
                "ticket": np.tile(np.arange(tickets), tries),
                "sample": np.repeat(np.arange(tries), tickets),
                "solved": solved.ravel().astype(float),
            }
        )
        models.append(Attempts(f"model {number}", "1", table, pd.DataFrame(), {}))
    return models


def wrong(rng, skills, tickets, tries, times):
    """Share of trials in which any of the page's sentences tells models of one skill apart."""
    hits = 0
    looks = (1, tries)
    for _ in range(times):
        several = recorded(rng, skills, tickets, tries)
        told = [figures.differences(several, k, len(looks))["differs"].any() for k in looks]
        hits += any(told)
    return hits / times


def power(rng, pilots, tickets, tries, apart, times):
    """Share of recordings of the planned size that find a difference; plans of small pilots."""
    hits, planned = 0, []
    for _ in range(pilots):
        plan = figures.plan(*recorded(rng, (ONE, OTHER), tickets, 4), apart=apart)
        size = int(plan.set_index("attempts").loc[tries, "tickets"])
        planned.append(size)
        for _ in range(times):
            several = recorded(rng, (ONE, OTHER), size, tries)
            hits += bool(figures.differences(several)["differs"].iloc[0])
    return hits / pilots / times, planned


def test_models_of_one_skill_are_told_apart_in_at_most_one_page_of_twenty():
    share = wrong(np.random.default_rng(1), [Skill(0.65, 0.4)] * 3, 40, 4, 60)
    # Two standard errors of 60 trials above 0.05.
    assert share <= 0.107


@pytest.mark.parametrize("tries", [1, 4])
def test_a_plan_of_a_pilot_finds_the_difference_four_times_in_five(tries):
    share, planned = power(np.random.default_rng(2), 12, 60, tries, 0.12, 12)
    assert 0.7 < share < 0.9
    # Pilots of 60 tickets differ in what they plan.
    assert min(planned) < np.mean(planned) < max(planned)


def test_the_sentences_say_what_the_differences_do():
    several = recorded(np.random.default_rng(3), (ONE, OTHER), 400, 4)
    found = pd.DataFrame([{"model": one.name, "tickets": 400, "solved": np.nan} for one in several])
    told = list(sentences(several, found, 4))
    assert sum("model 1 solves more than model 0" in sentence for sentence in told) == 2
    same = recorded(np.random.default_rng(4), (ONE, ONE), 40, 4)
    told = list(sentences(same, found, 4))
    assert sum("cannot be told from" in sentence for sentence in told) == 2


@pytest.mark.slow
def test_verdicts_and_plans_over_many_trials():
    rng = np.random.default_rng(5)
    for models in (2, 3, 4):
        for tickets in (20, 60):
            share = wrong(rng, [Skill(0.65, 0.4)] * models, tickets, 4, 1000)
            print(f"\n{models} models, {tickets} tickets: told apart wrongly {share:.3f}")
            assert share < 0.064
    for tries in (1, 2, 4):
        share, planned = power(rng, 60, 60, tries, 0.12, 20)
        print(f"{tries} tries: {np.mean(planned):.0f} tickets planned, found {share:.3f}")
        assert 0.75 < share < 0.85
