"""Shipped scenarios: each runs, and shows what its question is about."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

import twin
from twin.experiments.studies.design import design
from twin.experiments.studies.file import read_study

FOLDER = Path(__file__).parent.parent / "scenarios"
FILES = sorted(FOLDER.glob("*.toml"))
STUDIES = sorted((FOLDER / "studies").glob("*.toml"))
# Long enough to show something: a Sunday, a Monday, a Tuesday until the afternoon.
SHORT = {"horizon": "63h", "warm_up": "24h", "replications": 1, "arrivals.scale": 0.5}


@cache
def figures(name: str) -> pd.Series:
    """Figures of a shipped scenario at half the load, cut short, by (kpi, group)."""
    desk = twin.load(FOLDER / f"{name}.toml", SHORT)
    return twin.play(desk).kpis.set_index(["kpi", "group"])["value"]


def value(name: str, kpi: str, group: str = "") -> float:
    return float(figures(name)[kpi, group])


def test_those_of_the_issue_are_there() -> None:
    assert {path.stem for path in FILES} >= {
        "baseline", "humans-only", "assistant-only", "black-friday", "provider-outage", "free-tier",
        "rag-off", "night-shift", "strict-review", "feedback-loop", "staffing",
        "chat-desk", "email-desk", "phone-desk",
    }  # fmt: skip
    assert {path.stem for path in STUDIES} >= {
        "models-under-load", "staffing-curve", "escalation-threshold"
    }  # fmt: skip


@pytest.mark.parametrize("path", [*FILES, *STUDIES], ids=lambda path: path.stem)
def test_each_opens_with_its_question(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    question = tomllib.loads(text)["question"]
    assert text.startswith("# Question: ")
    assert question.endswith("?")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_but_the_base_is_a_difference_from_it(path: Path) -> None:
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    if path.stem != "baseline":
        assert data["extends"] == "baseline.toml"
    twin.check(twin.load(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_is_equal_to_its_settings_wherever_they_stand(path: Path) -> None:
    desk = twin.load(path)
    assert twin.from_data(desk.as_data()) == desk
    assert desk.vary({"seed": desk.seed + 1}, desk.name) != desk


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_each_study_has_valid_points(path: Path) -> None:
    points = design(read_study(path))
    assert len(points) >= 6
    if path.stem == "models-under-load":
        assert len({p.scenario.assistant.model for p in points}) >= 4
        assert {p.scenario.provider.plan for p in points} == {"free", "developer"}


def test_humans_only_shows_what_the_assistant_takes_off_them() -> None:
    assert value("humans-only", "containment") == 0
    assert value("humans-only", "occupancy") > 1.5 * value("baseline", "occupancy")
    assert value("humans-only", "prompt_tokens") == 0


def test_assistant_only_has_no_humans() -> None:
    assert not twin.load(FOLDER / "assistant-only.toml").agents
    assert value("assistant-only", "human_cost") == 0
    assert value("assistant-only", "first_response_p95") < 60
    assert value("assistant-only", "rating_mean") < value("baseline", "rating_mean")


def test_black_friday_brings_the_crowd() -> None:
    desk = twin.load(FOLDER / "black-friday.toml", {"arrivals.scale": 0.1})
    arrived = twin.draw(desk).arrived_s / 86400
    usual = ((arrived >= 4) & (arrived < 5)).sum()
    assert ((arrived >= 5) & (arrived < 6)).sum() > 2.5 * usual
    assert desk.start.isoformat() == "2026-11-22"


def test_the_outage_fails_calls_and_sends_tickets_to_people() -> None:
    assert value("baseline", "call_failure_share") == 0
    assert value("provider-outage", "call_failure_share") > 0.02
    assert value("provider-outage", "escalation_rate") > value("baseline", "escalation_rate")


def test_the_quota_binds_on_the_free_tier() -> None:
    assert value("baseline", "rate_limited_share") == 0
    assert value("free-tier", "rate_limited_share") > 0.2
    assert value("free-tier", "quota_wait_mean") > 10
    assert value("free-tier", "containment") < value("baseline", "containment")


def test_without_articles_answers_solve_less() -> None:
    assert value("rag-off", "containment") < value("baseline", "containment")
    assert value("rag-off", "prompt_tokens") < value("baseline", "prompt_tokens")
    # The same customers, categorized the same.
    for kpi in ("arrivals", "categorization_accuracy"):
        assert value("rag-off", kpi) == value("baseline", kpi)


def test_the_night_shift_shortens_the_wait_and_costs() -> None:
    assert value("night-shift", "agent_wait_mean") < 0.8 * value("baseline", "agent_wait_mean")
    assert value("night-shift", "human_cost") > value("baseline", "human_cost")
    assert 0 < value("night-shift", "occupancy", "night") < 1


def test_strict_review_lets_no_answer_out_alone() -> None:
    assert value("strict-review", "containment") == 0
    assert value("strict-review", "occupancy") > value("baseline", "occupancy")
    assert value("strict-review", "first_response_median") > 60


def test_fewer_agents_cost_less_and_make_customers_wait() -> None:
    assert value("staffing", "human_cost") < value("baseline", "human_cost")
    assert value("staffing", "occupancy") > value("baseline", "occupancy")
