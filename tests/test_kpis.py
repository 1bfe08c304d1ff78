"""Key figures of a hand-written run, each computed by hand."""

import numpy as np
import pytest
from handmade import run_log, timeline, visit

from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.measures import balance, levels
from twin.measures.figures import (
    FIGURES,
    JUDGED,
    MAIN,
    MAIN_FIGURES,
    figure_of,
    kpi_table,
    measure,
)
from twin.records.columns import TABLES
from twin.report.answer import DECISIVE
from twin.scenario.model import Scenario, from_data

NAN = np.nan
DESK = {
    "horizon": "2h",
    "warm_up": "10min",
    "arrivals": {"rate": "1/h"},
    "agents": {
        "front": {"heads": 1, "handle_time": "10min", "cost": 36, "concurrency": 2},
        "back": {"heads": 1, "handle_time": "10min", "cost": 0, "away": {"returns": "6/h"}},
    },
    "queue": {"capacity": 5},
    "customers": {"retrial": {"chance": 0.5, "delay": "1h"}},
    "targets": {
        "first_response": {"normal": "10min", "high": "1min"},
        "resolution": {"normal": "30min", "high": "100s"},
    },
    "touches": {"waiting": {"chance": 0.1, "delay": "1h"}},
}


def scenario(**changes):
    return Scenario.model_validate({**DESK, **changes})


# 1: came during warm-up; its resolution and its agent's work are after. 2: the assistant, in 5 s.
# 3: the assistant, wrong; reopened; an agent. 4: abandoned. 5: open and late. 6: open, not late.
# 7: an agent categorized it, and asked the customer.
ASSISTANT = {"category": "Login", "categorized_by": "assistant"}
AGENT = {"category": "Payment", "categorized_by": "agent", "category_true": "Payment"}
TICKETS = [
    {"arrived_s": 0, "responded_s": 0, "resolved_s": 1200, "status": "Closed", **AGENT},
    {"arrived_s": 1000, "responded_s": 1005, "resolved_s": 1005, "status": "Closed", **ASSISTANT}
    | {"resolved_by": "assistant", "priority": "high", "solved": 1, "quality": 0.9},
    {"arrived_s": 1100, "responded_s": 1115, "resolved_s": 4000, "status": "Resolved", **ASSISTANT}
    | {"resolved_by": "agent", "reopens": 1, "category_true": "Payment"}
    | {"solved": 1, "quality": 0.3},
    {"arrived_s": 2000, "status": "Abandoned", **ASSISTANT},
    {"arrived_s": 3000, "status": "Escalated", **ASSISTANT},
    {"arrived_s": 7000, "status": "Open"},
    {"arrived_s": 1300, "responded_s": 1600, "resolved_s": 2200, "status": "Resolved", **AGENT}
    | {"resolved_by": "agent", "solved": 0},
]
LOG = run_log(
    7200.0,
    tickets=TICKETS,
    timeline=[
        *timeline(1, (0, "Open"), (0, "In Progress"), (1200, "Resolved"), (5000, "Closed")),
        *timeline(2, (1000, "Open"), (1000, "Categorized"), (1005, "In Progress")),
        *timeline(2, (1005, "Resolved"), (6000, "Closed")),
        *timeline(3, (1100, "Open"), (1115, "Resolved"), (3000, "Reopened"), (4000, "Resolved")),
        *timeline(4, (2000, "Open"), (2000, "Escalated"), (2600, "Abandoned")),
        *timeline(5, (3000, "Open"), (3000, "Escalated")),
        *timeline(6, (7000, "Open")),
        *timeline(7, (1300, "Open"), (1300, "Escalated"), (1600, "In Progress")),
        *timeline(7, (1700, "Waiting for customer"), (1900, "Open"), (1900, "In Progress")),
        *timeline(7, (2200, "Resolved")),
    ],
    visits=[
        visit(1, 0, 0, 1200, "done", pool="front"),
        visit(3, 3000, 3000, 4000, "done", pool="front"),
        visit(4, 2000, ended_s=2600, end="abandoned"),
        visit(4, 2600, ended_s=2600, end="blocked"),
        visit(5, 3000),
        visit(7, 1300, 1600, 2200, "done", pool="front", agent=1),
        visit(7, 2250, 2250, 2250, "done", pool="front", agent=1, activity="follow up"),
    ],
    staffing=[
        {"pool": "back", "time_s": time_s, "on_shift": 1, "away": away}
        for time_s, away in ((0, 0), (4500, 1), (5100, 0))
    ],
    calls=[
        {"ticket_id": 1, "outcome": "ok", "prompt_tokens": 999, "cost_usd": 9.0},
        {"ticket_id": 2, "outcome": "ok", "started_s": 1000, "ended_s": 1003, "quota_wait_s": 0.0}
        | {"prompt_tokens": 300, "completion_tokens": 30, "cost_usd": 0.5},
        {"ticket_id": 3, "outcome": "ok", "started_s": 1110, "ended_s": 1115, "quota_wait_s": 8.0}
        | {"prompt_tokens": 300, "completion_tokens": 60, "cost_usd": 0.7}
        | {"attempts": 3, "rate_limited": 2},
        {"ticket_id": 4, "outcome": "server error", "quota_wait_s": 1.0, "cost_usd": 0.0},
        {"ticket_id": 6, "started_s": 7000},
    ],
    ratings=[
        {"ticket_id": 1, "rated_s": 1200, "rating": 1},
        {"ticket_id": 2, "rated_s": 1005, "rating": 5},
        {"ticket_id": 3, "rated_s": 1115, "rating": 2},
        {"ticket_id": 3, "rated_s": 4000, "rating": 4},
    ],
)

# Six tickets after warm-up; 6,600 s from warm-up to horizon.
BY_HAND = {
    ("arrivals", ""): (6, 1),
    ("throughput", ""): (4, 6600 / 3600),
    ("first_response_mean", ""): (5 + 15 + 300, 3),
    ("first_response_mean", "normal"): (315, 2),
    ("first_response_mean", "high"): (5, 1),
    ("first_response_median", ""): (15, 1),
    ("first_response_p90", ""): (15 + 0.8 * 285, 1),
    ("first_response_p95", "high"): (5, 1),
    ("resolution_mean", ""): (5 + 2900 + 900, 3),
    ("resolution_median", "normal"): (1900, 1),
    ("resolution_p90", "normal"): (900 + 0.9 * 2000, 1),
    ("resolution_p95", "normal"): (900 + 0.95 * 2000, 1),
    ("service_level", ""): (3, 5),
    ("service_level", "high"): (1, 1),
    ("service_level", "normal"): (2, 4),
    ("resolution_within_target", ""): (2, 5),
    ("resolution_within_target", "normal"): (1, 4),
    ("agent_wait_mean", ""): (0 + 600 + 300 + 0, 4),
    ("agent_wait_share", ""): (2, 4),
    ("backlog", ""): (600 + 5 + 15 + 1000 + 600 + 4200 + 200 + 900, 6600),
    ("queue", ""): (600 + 4200 + 300, 6600),
    ("occupancy", ""): (600 + 1000 + 600, 2 * 6600),
    ("occupancy", "front"): (2200, 6600),
    ("occupancy", "back"): (0, 6600),
    ("workload_ratio", ""): (2200, 13200),
    ("workload_ratio", "back"): (0, 6600),
    # All together are those who come and go.
    ("away_share", ""): (600, 6600),
    ("away_share", "back"): (600, 6600),
    ("human_response_mean", ""): (0 + 300, 2),
    ("human_response_mean", "normal"): (300, 2),
    ("human_response_median", ""): (150, 1),
    ("human_response_p90", ""): (270, 1),
    ("human_response_p95", ""): (285, 1),
    ("human_service_level", ""): (2, 4),
    ("solved", ""): (2, 6),
    ("containment", ""): (1, 4),
    ("escalation_rate", ""): (3, 6),
    ("reopen_rate", ""): (1, 3),
    ("abandonment_rate", ""): (1, 4),
    ("blocked_share", ""): (1, 6),
    ("first_attempt_abandonment", ""): (1, 6),
    ("categorization_accuracy", ""): (3, 4),
    ("confusion", "Login -> Login"): (3, 3),
    ("confusion", "Login -> Payment"): (0, 3),
    ("confusion", "Payment -> Login"): (1, 1),
    ("categorization_accuracy", "Payment"): (0, 1),
    ("quality", ""): (1.2, 2),
    ("quality", "Login"): (0.9, 1),
    ("csat", ""): (2, 3),
    ("csat", "Login"): (1, 1),
    ("csat", "Payment"): (1, 2),
    ("csat_all", ""): (2 / 3 * 3, 6),
    ("rating_mean", ""): (11, 3),
    ("rating_share", "1"): (0, 3),
    ("rating_share", "5"): (1, 3),
    ("rated_share", ""): (2, 3),
    ("prompt_tokens", ""): (600, 6),
    ("completion_tokens", ""): (90, 6),
    ("model_cost", ""): (1.2, 6),
    ("human_cost", ""): (66, 6),
    ("cost_per_resolution", ""): (67.2, 4),
    ("cost_per_arrival", ""): (67.2, 6),
    ("cost_week", ""): (67.2, 6600 / 604800),
    ("helped_per_dollar", ""): (2, 67.2),
    ("quota_wait_mean", ""): (9, 3),
    ("rate_limited_share", ""): (2, 6),
    ("call_failure_share", ""): (1, 3),
    ("model_latency_mean", ""): (8, 2),
    ("resolution_less_waits_mean", ""): (5 + 2900 + 700, 3),
    ("waiting_share", ""): (200, 5 + 2900 + 900),
    ("touches_mean", ""): (3, 3),
    ("unanswered_share", ""): (0, 3),
    ("concurrency_mean", ""): (2200, 2200),
    ("same_agent_share", ""): (1, 1),
}


def figures(log, desk):
    return measure(log, desk).set_index(["kpi", "group"])


MEASURED = figures(LOG, scenario())


@pytest.mark.parametrize("key", BY_HAND, ids=" ".join)
def test_by_hand(key):
    numerator, denominator = BY_HAND[key]
    row = MEASURED.loc[key]
    assert row["numerator"] == pytest.approx(numerator)
    assert row["denominator"] == pytest.approx(denominator)
    assert row["value"] == pytest.approx(numerator / denominator)


def test_all_figures_are_listed_and_described():
    table = kpi_table()
    assert list(table["kpi"]) == list(MEASURED.index.get_level_values("kpi").unique())
    assert set(table["kpi"]) == {kpi for kpi, _ in BY_HAND}
    assert set(table["better"]) == {"higher", "lower", ""}
    assert table["description"].str.fullmatch(r"[A-Z0-9].*\.").all()
    assert list(measure(LOG, scenario())) == [column.name for column in TABLES["kpis"]]
    assert MEASURED.index.is_unique


def test_the_lists_of_figures_are_one():
    assert list(kpi_table()["kpi"]) == list(FIGURES)
    assert [FIGURES[name].main for name in MAIN] == [
        section for section, names in MAIN_FIGURES.items() for _ in names
    ]
    assert set(MAIN) == {figure.name for figure in FIGURES.values() if figure.main}
    assert set(DECISIVE) < set(JUDGED) < set(MAIN)


def test_the_estimation_says_what_numerator_and_denominator_are():
    quantiles = [figure.name for figure in FIGURES.values() if figure.estimation == "quantile"]
    assert quantiles == [name for name in FIGURES if name.endswith(("_median", "_p90", "_p95"))]
    assert set(MEASURED.loc[quantiles, "denominator"]) <= {0, 1}
    # A mean has how many it covers, a whole number, as denominator.
    means = [figure.name for figure in FIGURES.values() if figure.estimation == "mean"]
    assert (MEASURED.loc[means, "denominator"] % 1 == 0).all()


def test_a_name_that_is_no_figure_is_told_the_nearest():
    assert figure_of("service_level : urgent") == ("service_level", "urgent")
    with pytest.raises(ValueError, match='no figure "csatt"; did you mean "csat"'):
        figure_of("csatt:urgent")


def test_figures_that_are_split_have_no_rows_for_what_does_not_occur():
    groups = MEASURED.loc["first_response_mean"].index
    assert list(groups) == ["", "high", "normal"]
    only_high = scenario(targets={"first_response": {"high": "1s"}})
    assert list(figures(LOG, only_high).loc["service_level"].index) == ["", "high"]


def test_an_empty_run_is_missing_and_never_zero():
    nobody = {"agents": {}, "assistant": {"role": "full"}}
    values = figures(run_log(7200.0), scenario(**nobody))["value"]
    zero = ["arrivals", "throughput", "backlog", "queue", "cost_week"]
    assert (values.loc[zero] == 0).all()
    assert values.drop(zero, level="kpi").isna().all()


def test_costs_without_arrivals_still_count_over_replications():
    row = figures(run_log(7200.0), scenario()).loc[("human_cost", "")]
    assert (row["numerator"], row["denominator"]) == (pytest.approx(66), 0)
    assert np.isnan(row["value"])


def test_without_warm_up_everything_counts():
    found = figures(LOG, scenario(warm_up="0s"))["numerator"]
    assert found["arrivals", ""] == 7
    assert found["prompt_tokens", ""] == 1599
    assert found["occupancy", "front"] == 2800
    assert found["rating_mean", ""] == 12


def test_an_unknown_price_makes_the_cost_unknown_but_not_the_rest():
    calls = [{"ticket_id": 1, "outcome": "ok", "prompt_tokens": 10}]
    found = figures(run_log(7200.0, tickets=[{"arrived_s": 700}], calls=calls), scenario())["value"]
    assert np.isnan(found["model_cost", ""])
    assert np.isnan(found["cost_per_resolution", ""])
    assert found["prompt_tokens", ""] == 10
    assert found["human_cost", ""] == 66


def test_a_ticket_open_again_is_not_resolved():
    again = {"arrived_s": 700, "responded_s": 710, "resolved_s": 720, "reopens": 1}
    log = run_log(7200.0, tickets=[{**again, "status": "Reopened"}])
    found = figures(log, scenario())
    assert np.isnan(found.loc[("resolution_mean", ""), "value"])
    assert found.loc[("throughput", ""), "value"] == 0
    assert found.loc[("reopen_rate", ""), "value"] == 1
    assert found.loc[("resolution_within_target", ""), "value"] == 0


def test_targets_in_desk_hours():
    # Arrived at 17:30 after the shift; answered at 9:20 the next day: 20 minutes of desk time.
    shifts = [{"start": "09:00", "end": "17:00", "heads": 1}]
    agents = {"front": {"shifts": shifts, "handle_time": "1min"}}
    tickets = [{"arrived_s": 17.5 * 3600, "responded_s": (24 + 9) * 3600 + 1200}]
    tickets.append({"arrived_s": (24 + 16) * 3600 + 1800 + 1800})
    log = run_log(172800.0, tickets=tickets)

    def level(target, clock):
        targets = {"first_response": {"normal": target}, "clock": clock}
        desk = scenario(horizon="2d", warm_up="0s", agents=agents, targets=targets)
        row = figures(log, desk).loc[("service_level", "")]
        return row["numerator"], row["denominator"]

    assert level("20min", "desk hours") == (1, 1)
    assert level("19min", "desk hours") == (0, 1)
    assert level("20min", "around the clock") == (0, 2)


def test_rounding_of_moments_is_not_lateness():
    arrived_s, target_s = 700.1, 0.2
    responded_s = arrived_s + target_s
    assert responded_s - arrived_s > target_s
    log = run_log(7200.0, tickets=[{"arrived_s": arrived_s, "responded_s": responded_s}])
    found = figures(log, scenario(targets={"first_response": {"normal": "0.2s"}}))
    assert found.loc[("service_level", ""), "value"] == 1


def test_agents_past_their_shift_are_paid_and_not_overoccupied():
    agents = {
        "front": {
            "shifts": [{"start": "00:00", "end": "01:00", "heads": 1}],
            "handle_time": "1h",
            "cost": 10,
        }
    }
    log = run_log(
        7200.0,
        tickets=[{"arrived_s": 1800}],
        visits=[visit(1, 1800, 1800, 5400, "done", pool="front")],
    )
    found = figures(log, scenario(agents=agents, warm_up="0s"))
    assert found.loc[("occupancy", "front"), "value"] == 0.5
    assert found.loc[("workload_ratio", "front"), "value"] == 1
    assert found.loc[("human_cost", ""), "value"] == pytest.approx(15)


def test_what_is_measured_over_time_can_be_asked_for_by_the_interval():
    assert levels.throughput(LOG, 3600)["resolved"].tolist() == [3, 1]
    assert balance.conservation(LOG) == {"arrivals": 7, "resolved": 4, "abandoned": 1, "open": 2}
    law = balance.little(LOG, scenario())
    assert law["level"].tolist() == pytest.approx(law["product"].tolist())


def test_a_played_run_is_conserved_and_within_bounds():
    desk = from_data(
        {
            "horizon": "2d",
            "arrivals": {"rate": "20/h"},
            "tickets": {"category_mix": {"Login": 1, "Payment": 2}},
            "assistant": {"backend": "profile", "confidence_threshold": 0.5},
            "agents": {
                "day": {
                    "shifts": [{"start": "08:00", "end": "18:00", "heads": 2}],
                    "handle_time": {"distribution": "exponential", "mean": "10min"},
                    "cost": 20,
                }
            },
            "customers": {"patience": {"distribution": "exponential", "mean": "2h"}},
        }
    )
    log = simulate(desk, draw(desk))
    found = balance.conservation(log)
    assert found["arrivals"] == found["resolved"] + found["abandoned"] + found["open"]
    law = balance.little(log, desk)
    assert law["level"].tolist() == pytest.approx(law["product"].tolist())
    measured = measure(log, desk)
    shares = measured.loc[measured["unit"] == "share", "value"].dropna()
    assert shares.between(0, 1).all()
    assert (measured.loc[measured["kpi"] == "abandonment_rate", "value"] > 0).all()
    assert levels.throughput(log)[["arrivals", "resolved"]].sum().tolist() == [
        found["arrivals"],
        found["resolved"],
    ]
