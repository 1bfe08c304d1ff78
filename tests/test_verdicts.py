"""Verdicts that never mislead: lost customers, another load, differences of no matter, unset keys.

pytest tests/test_verdicts.py -m slow -s   # 200 pairs of desks, and how many verdicts were what
"""

import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from test_comparison import results, rows, run_cli

import twin
import twin.measures.inputs
import twin.report.answer
from twin.experiments.comparison import compare, join
from twin.experiments.studies.results import StudyResults
from twin.measures.figures import FIGURES, GUARDS, JUDGED
from twin.report.answer import of_runs
from twin.report.page import page
from twin.report.source import Source
from twin.stats.differences import differences

STEP = np.array([0.0, 0.01, -0.01, 0.005])
TARGETS = {"first_response": {"normal": "30min"}, "resolution": {"normal": "2h"}}
TIMES = ({"distribution": "exponential", "mean": "20min"}, {"distribution": "lognormal",
         "mean": "12min", "cv": 1.0}, "15min")  # fmt: skip
PATIENCE = (None, {"distribution": "exponential", "mean": "10min"},
            {"distribution": "exponential", "mean": "3h"})  # fmt: skip


def desk(**changes):
    data = {
        "name": "baseline",
        "horizon": "12h",
        "arrivals": {"rate": "8/h"},
        "targets": TARGETS,
        "agents": {"all": {"heads": 3, "handle_time": "15min", "cost": 20.0}},
        "customers": {"patience": {"distribution": "exponential", "mean": "1h"}},
    }
    return twin.from_data({**data, **changes})


def answer(results, found):
    summary = results.summary()
    sources = [
        Source(results, run, summary[summary["scenario"] == run.scenario]) for run in results.runs
    ]
    return of_runs(sources, found)


def random_pair(number):
    """A small desk and the same with fewer staff."""
    luck = np.random.default_rng([20261126, number])
    heads = int(luck.integers(1, 6))
    data = {
        "name": "baseline",
        "horizon": "8h",
        "seed": number,
        "arrivals": {"rate": f"{luck.uniform(2, 5) * heads:.2f}/h"},
        "targets": TARGETS,
        "agents": {"all": {"heads": heads, "handle_time": TIMES[luck.integers(3)],
                           "cost": float(luck.choice([0.0, 24.0]))}},
        "customers": {"patience": PATIENCE[luck.integers(3)],
                      "reopen_delay": "30min", "survey_rate": 0.8},
    }  # fmt: skip
    if luck.random() < 0.5:
        data["assistant"] = {"backend": "profile", "profile": {
            "accuracy": float(luck.uniform(0.5, 1)), "quality": float(luck.uniform(0.5, 1))},
            "confidence_threshold": float(luck.choice([0.0, 0.6]))}  # fmt: skip
        data["arrivals"]["rate"] = f"{luck.uniform(4, 12) * heads:.2f}/h"
    base = twin.from_data(data)
    drop = int(luck.integers(1, heads + 1))
    return base, base.vary({"agents.all.extra_heads": -drop}, name="fewer")


def is_worse(played):
    """True if fewer staff do harm: a minute more of waiting, or half a point fewer in time.

    None of these figures is one that verdicts are guarded by.
    """
    figures = played.kpis.groupby(["scenario", "kpi", "group"])[["numerator", "denominator"]].sum()
    value = figures["numerator"] / figures["denominator"].where(figures["denominator"] > 0)
    harm = (("agent_wait_mean", 60.0), ("human_service_level", -0.005),
            ("resolution_within_target", -0.005))  # fmt: skip
    return any(
        (value.get(("fewer", kpi, ""), np.nan) - value.get(("baseline", kpi, ""), np.nan)) / size
        >= 1
        for kpi, size in harm
    )


def praise(count, least, most):
    """Sentences that call the desk with fewer staff better, by pairs in which it is worse."""
    verdicts, wrong, worse = Counter(), [], 0
    for number in range(count):
        pair = random_pair(number)
        replications = least if number % 2 else most
        played = twin.run(list(pair), replications=replications)
        found = twin.compare(played)
        verdicts.update(found.table["verdict"])
        if not is_worse(played):
            continue
        worse += 1
        told = [text for text in found.sentences() if " is better" in text]
        told += [text for text in answer(played, compare(played, "baseline", JUDGED))
                 if "fewer is better" in text]  # fmt: skip
        wrong += [(number, text) for text in told]
    return verdicts, wrong, worse


def test_no_sentence_praises_a_desk_that_only_dropped_staff():
    verdicts, wrong, worse = praise(15, 3, 5)
    assert wrong == []
    assert worse > 10
    assert verdicts["not judged"] > 25


@pytest.mark.slow
def test_no_sentence_praises_one_of_200_desks_that_only_dropped_staff():
    verdicts, wrong, worse = praise(200, 3, 8)
    print(f"\n200 pairs, {worse} worse for fewer staff: {dict(verdicts)}; praise {len(wrong)}")
    for line in wrong:
        print(line)
    assert wrong == []


def test_pairs_without_a_difference_are_called_different_as_often_as_promised():
    called = []
    for number in range(20):
        base, _ = random_pair(number)
        parts = [twin.run(base, replications=4, seed=seed) for seed in (1, 2)]
        found = compare(join(parts), kpis=JUDGED[:20])
        calls = found.table["verdict"].isin(["better", "worse", "not judged"]).sum()
        called.append(bool(calls))
    # 5 % of 20 is 1; more than 3 would happen in 1.6 % of such studies.
    assert sum(called) <= 3


GUARD_NAMES = [f"{name} {how}" for name in GUARDS for how in ("worse", "open", "missing")]


@pytest.mark.parametrize("guard", ["", *GUARD_NAMES])
def test_praise_waits_for_the_guards(guard):
    """Better ratings are no merit where a guard is worse, may be, or is not known."""
    shift = dict.fromkeys(GUARDS, 0.0)
    wide = 1.0
    name, _, how = guard.partition(" ")
    sign = {"higher": -1, "lower": 1, "": 0}[FIGURES[name].better if name else ""]
    frames = [rows("a", "csat", STEP), rows("b", "csat", STEP[::-1] + 0.4)]
    for kpi in GUARDS:
        if guard == f"{kpi} missing":
            continue
        moved = shift[kpi] + (sign * 2.0 if guard == f"{kpi} worse" else 0.0)
        noise = STEP * 0
        if guard == f"{kpi} open":
            noise, moved = np.array([-wide, wide, -wide, wide]) * 3, sign * 0.5
        frames += [rows("a", kpi, STEP + 10), rows("b", kpi, STEP + 10 + moved + noise)]
    found = compare(results(*frames), kpis=["csat"])
    (row,) = found.table.to_dict("records")
    if not guard:
        assert (row["verdict"], row["reason"]) == ("better", "")
        return
    assert row["verdict"] == "not judged"
    words = {"worse": "got worse", "open": "may have got worse", "missing": "is not known"}[how]
    assert words in row["reason"]
    (text,) = found.sentences()
    assert row["reason"] in text
    assert "better" not in text


def test_what_is_bad_is_said_whatever_the_guards_do():
    frames = [rows("a", "csat", STEP), rows("b", "csat", STEP[::-1] - 0.4)]
    assert compare(results(*frames), kpis=["csat"]).table["verdict"].tolist() == ["worse"]


def test_more_load_is_no_merit():
    """Throughput and cost follow the load: no verdict where it differs, whoever says so."""
    base = desk(customers={})
    busier = base.vary({"arrivals.scale": 1.3}, name="busier")
    kpis = ["throughput", "cost_per_resolution", "cost_week", "helped_per_dollar"]
    found = twin.compare(twin.run([base, busier], replications=6), kpis=kpis)
    assert not set(found.table["verdict"]) & {"better", "worse"}
    reasons = set(found.table.loc[found.table["verdict"] == "not judged", "reason"])
    assert reasons == {"another load (arrivals.scale)"}
    # Of desks whose files are not known the numbers of arrivals tell.
    more = [rows("a", "arrivals", STEP + 100), rows("b", "arrivals", STEP + 130)]
    flow = [rows("a", "throughput", STEP + 5), rows("b", "throughput", STEP[::-1] + 7)]
    guards = [rows(name, kpi, STEP) for name in "ab" for kpi in GUARDS]
    row = compare(results(*more, *flow, *guards), kpis=["throughput"]).table.iloc[0]
    assert (row["verdict"], row["reason"]) == (
        "not judged",
        "another load, 130 tickets against 100",
    )
    row = compare(results(*flow, *guards), kpis=["throughput"]).table.iloc[0]
    assert "not known" in row["reason"]


def test_another_opening_backlog_is_another_load():
    base = desk(customers={}, backlog={"tickets": 60, "age": "1d"})
    clear = base.vary({"backlog.tickets": 0}, name="clear")
    kpis = ["throughput", "cost_per_resolution", "cost_week", "helped_per_dollar"]
    found = twin.compare(twin.run([base, clear], replications=6), kpis=kpis)
    assert not set(found.table["verdict"]) & {"better", "worse"}
    reasons = set(found.table.loc[found.table["verdict"] == "not judged", "reason"])
    assert reasons == {"another load (backlog.tickets)"}


@pytest.mark.parametrize(
    ("noise", "change", "said"),
    [
        (0.001, 0.004, "no difference that matters"),
        (0.001, 0.0, "no difference that matters"),
        (0.001, 0.006, "better"),
        (0.001, -0.02, "worse"),
        # The point is small, the interval is not: nothing is shown, not that nothing is there.
        (0.05, 0.001, "no difference shown"),
    ],
)
def test_a_difference_that_does_not_matter_is_shown_by_the_interval(noise, change, said):
    drift = np.array([-1, 1, -1, 1, -1, 1, -1, 1]) * noise / 2
    frames = [rows("a", "service_level", drift * 0 + 0.5, unit="share"),
              rows("b", "service_level", drift + 0.5 + change, unit="share")]  # fmt: skip
    found = compare(results(*frames), kpis=["service_level"])
    assert found.table["verdict"].tolist() == [said]
    assert found.table["matters"].tolist() == [0.005]


def test_the_advice_counts_to_the_size_that_matters_not_to_the_size_found():
    drift = np.array([-1, 1, -1, 1, -1, 1, -1, 1]) * 0.05
    more = []
    for change in (1e-5, 1e-3):
        frames = [rows("a", "service_level", drift * 0 + 0.5, unit="share"),
                  rows("b", "service_level", drift + 0.5 + change, unit="share")]  # fmt: skip
        table = compare(results(*frames), kpis=["service_level"]).table
        more += table["more_replications"].tolist()
        wider = compare(results(*frames), kpis=["service_level"], matters={"service_level": 0.02})
        assert wider.table["more_replications"].iloc[0] < more[-1] / 10
    assert more[0] == pytest.approx(more[1], rel=0.01)


def test_sizes_that_matter_come_from_the_call_the_scenario_or_the_figure(tmp_path):
    base = desk(targets={**TARGETS, "matters": {"service_level": 0.02, "resolution_p90": "5min"}})
    played = twin.run([base, base.vary({"agents.all.heads": 4}, name="more")], replications=3)
    names = ["service_level", "resolution_p90", "csat"]
    table = twin.compare(played, kpis=names, matters={"service_level": 0.1}).table
    assert table["matters"].tolist() == [0.1, 300.0, 0.005]
    assert twin.compare(played, kpis=names).table["matters"].tolist() == [0.02, 300.0, 0.005]
    with pytest.raises(ValueError, match="did you mean"):
        twin.check(desk(targets={"matters": {"service_levl": 0.1}}))
    with pytest.raises(ValueError, match="above 0"):
        twin.compare(played, kpis=names, matters={"csat": 0.0})


def test_studies_call_no_point_best_that_loses_customers():
    base = desk(arrivals={"rate": "14/h"}, assistant={"backend": "profile"})
    plan = {"scenario": base, "factors": {"agents.all.heads": [0, 4]},
            "kpis": ["resolution_mean", "cost_per_resolution"]}  # fmt: skip
    text = " ".join(twin.report.answer.of_study(twin.study(plan, replications=4)))
    assert "best" not in text.replace("not called the best", "")
    assert "not called better, as" in text
    for kpi, size in (("resolution_mean", 60), ("cost_per_resolution", 0.1)):
        found = twin.select(plan, kpi, size, first=4)
        assert found.best == "p0 heads=0"
        assert "it is not called the best, as against p1 heads=4" in found.statement
        assert "is best" not in found.statement
    assert "is best in solved" in twin.select(plan, "solved", 0.05, first=4).statement
    # Who says that so many customers do not matter is taken at their word, as in a comparison.
    plan["set"] = {"targets.matters": {"solved": 1.0, "abandonment_rate": 1.0, "backlog": 1e6}}
    text = " ".join(twin.report.answer.of_study(twin.study(plan, replications=4)))
    assert "not called better, as" not in text
    assert "is best" in twin.select(plan, "resolution_mean", 60, first=4).statement


@pytest.mark.parametrize("plan", [
    {"factors": {"season": {"quiet": {"arrivals.scale": 0.5}, "busy": {"arrivals.scale": 1.0}}}},
    {"factors": {"backlog.tickets": [5, 40]}, "set": {"backlog.tickets": 5, "backlog.age": "1h"}},
    {"factors": {}, "scenarios": [{"arrivals.scale": 0.5}, {}]},
])  # fmt: skip
def test_studies_call_no_point_best_that_has_less_to_do(plan):
    base = desk(horizon="4h")
    others = [base.vary(changes, name=f"desk {k}")
              for k, changes in enumerate(plan.get("scenarios", []))]  # fmt: skip
    plan = plan | ({"scenarios": others} if others else {"scenario": base})
    plan["kpis"] = ["first_response_mean"]
    text = " ".join(twin.report.answer.of_study(twin.study(plan, replications=3)))
    assert "they differ in load, so neither is called better" in text
    assert "best" not in text
    said = twin.select(plan, "first_response_mean", 10, first=3).statement
    assert said.endswith("the points differ in load, so none is called the best")
    assert "is best" not in said


def test_studies_praise_nobody_for_tickets_that_the_assistant_kept_from_people():
    base = desk(horizon="4h", assistant={"backend": "profile", "role": "triage"})
    plan = {"scenario": base, "factors": {"assistant.confidence_threshold": [0.1, 0.9]},
            "kpis": ["human_response_mean"]}  # fmt: skip
    reason = "differ in the tickets that need a person"
    assert reason in " ".join(twin.report.answer.of_study(twin.study(plan, replications=2)))
    assert reason in twin.select(plan, "human_response_mean", 60, first=3).statement
    assert reason not in twin.select(plan, "first_response_mean", 60, first=3).statement


def made_up(points, values):
    """A study whose points have given mean first responses, shape (replications, points)."""
    factors = tuple(points)
    points = points.assign(point=range(len(points)), scenario=[f"p{k}" for k in points.index])
    frames = [points.assign(replication=r, kpi="first_response_mean", group="", unit="s",
                            numerator=row, denominator=1.0, value=row)
              for r, row in enumerate(values)]  # fmt: skip
    return StudyResults("made up", "", factors, pd.concat(frames), pd.DataFrame(), points,
                        ("first_response_mean",), (), ())  # fmt: skip


def test_of_many_points_that_are_alike_none_is_called_best():
    rng, called = np.random.default_rng(1), 0
    points = pd.DataFrame({"x": range(40)})
    for _ in range(12):
        (text, *_) = twin.report.answer.of_study(made_up(points, rng.normal(60, 5, (10, 40))))
        called += "may be luck" not in text and "overlap" not in text
    # At most 5 % are to be; by the intervals of each point alone it were 46 %.
    assert called <= 1


def test_of_factors_that_move_nothing_none_is_said_to_move_most():
    rng, called = np.random.default_rng(2), 0
    points = pd.DataFrame(list(itertools.product(range(2), repeat=5)), columns=list("abcde"))
    for _ in range(20):
        said = twin.report.answer.of_study(made_up(points, rng.normal(60, 5, (6, 32))))
        called += any("What moves" in text for text in said)
    # At most 5 % are to be; by the interval of each effect alone it was a quarter.
    assert called <= 1
    moved = rng.normal(60, 5, (6, 32)) + 20 * points["c"].to_numpy()
    assert "most is c:" in twin.report.answer.of_study(made_up(points, moved))[-1]


def test_a_cost_that_nobody_set_is_missing_and_names_its_key(tmp_path):
    pools = {"all": {"heads": 1, "handle_time": "5min", "cost": 20},
             "more": {"heads": 1, "handle_time": "5min"}}  # fmt: skip
    costs = ["human_cost", "cost_per_resolution", "cost_per_arrival", "cost_week",
             "helped_per_dollar"]  # fmt: skip

    def values(**agents):
        played = twin.run(desk(agents=agents), replications=2)
        whole = played.summary().query("group == ''").set_index("kpi")["value"]
        return whole[costs], played.unset(costs)

    found, told = values(**pools)
    assert found.isna().all()
    assert told[0].startswith("not known: human_cost,")
    assert told[0].endswith("set agents.more.cost")
    # Nothing is a statement too, and who does not work costs nothing.
    free = {**pools, "more": {**pools["more"], "cost": 0}}
    found, told = values(**free)
    assert found.notna().all()
    assert not [line for line in told if "agents" in line]
    idle = {**pools, "more": {**pools["more"], "heads": 0}}
    assert values(**idle)[0].notna().all()


def test_assumptions_are_named_until_they_are_set():
    base = desk(assistant={"backend": "profile"}, customers={})
    played = twin.run([base, base.vary({"customers.solved.agent": 0.8}, name="set")],
                      replications=2)  # fmt: skip
    lines = "\n".join(played.unset())
    assert "assumed: assistant.profile.accuracy = 0.8 (default), which carries" in lines
    assert "assumed: customers.patience = endless (default)" in lines
    assert "customers.solved.agent = 0.92 (default)" in lines
    assert any("solved.agent" in line and line.endswith("(baseline)") for line in played.unset())
    keys = {one.key for one in twin.measures.inputs.unset(base.vary({
        "assistant.profile.accuracy": 0.7, "assistant.profile.quality": 0.7,
        "customers.patience": "1h"}))}  # fmt: skip
    assert not keys & {"assistant.profile.accuracy", "assistant.profile.quality",
                       "customers.patience"}  # fmt: skip
    assert {name for one in twin.measures.inputs.unset(base) for name in one.figures} <= set(
        FIGURES
    )


def test_commands_and_the_report_name_what_nobody_set(tmp_path):
    base, more = tmp_path / "base.toml", tmp_path / "more.toml"
    base.write_text('horizon = "8h"\nreplications = 3\narrivals.rate = "9/h"\n'
                    '[assistant]\nbackend = "profile"\n'
                    '[agents.all]\nheads = 1\nhandle_time = "5min"\n')  # fmt: skip
    more.write_text('extends = "base.toml"\nagents.all.heads = 2\n')
    out = ["--out", tmp_path / "results", "--quiet", "--workers", 1]
    calls = [run_cli("run", base, *out[:2], "--workers", 1), run_cli("check", base),
             run_cli("compare", base, more, *out, "--matters", "solved=1%")]  # fmt: skip
    for done in calls:
        assert done.exit_code == 0, done.output
        assert "set agents.all.cost" in done.stdout
        assert "assumed: customers.patience = endless (default)" in done.stdout
    wrong = run_cli("compare", base, more, *out, "--matters", "solvd=1%")
    assert "--matters solvd=1%: no figure" in wrong.stderr
    html = page(twin.open_results(tmp_path / "results" / "base"))
    assert "set agents.all.cost" in html


def test_a_priority_that_misses_what_all_meet_is_shown():

    from twin.cli.figure_tables import missed_by

    def row(group, value, half):
        return {"scenario": "a", "kpi": "service_level", "group": group, "value": value,
                "low": value - half, "high": value + half}  # fmt: skip

    summary = pd.DataFrame([row("", 0.964, 0.001), row("urgent", 0.776, 0.02),
                            row("high", 0.93, 0.01), row("low", 0.8, 0.2)])  # fmt: skip
    assert missed_by(summary, "service_level") == ["urgent"]
    assert missed_by(summary, "csat") == []


def test_the_reply_of_a_person_has_targets_of_its_own():
    """Quick answers of the assistant say nothing of the wait for a person."""
    desks = [desk(horizon="2d", assistant={"backend": "profile"}, arrivals={"rate": "30/h"},
                  agents={"all": {"heads": 1, "handle_time": "10min"}},
                  targets={**TARGETS, "first_human_response": promised})
             for promised in ({}, {"normal": "10s"}, {"normal": "10d"})]  # fmt: skip
    played = [twin.play(one).kpis.set_index(["kpi", "group"])["value"] for one in desks]
    bot = [one["service_level", ""] for one in played]
    assert len(set(bot)) == 1
    own, hard, easy = (one["human_service_level", ""] for one in played)
    assert hard <= own <= easy
    assert own < bot[0]
    assert played[0]["human_response_mean", ""] > played[0]["first_response_mean", ""]


def test_a_desk_of_people_only_replies_when_a_person_does():
    log = twin.play(desk(customers={}))
    value = log.kpis.set_index(["kpi", "group"])["value"]
    for name in ("mean", "median", "p90", "p95"):
        assert value[f"human_response_{name}", ""] == pytest.approx(
            value[f"first_response_{name}", ""]
        )
    assert value["human_service_level", ""] == value["service_level", ""]


def test_tickets_left_open_are_not_helped():
    """Nobody works: what the bot does not settle stays open, and counts against the desk."""
    base = desk(assistant={"backend": "profile", "confidence_threshold": 0.7}, customers={})
    idle = base.vary({"agents.all.heads": 0}, name="idle")
    played = twin.run([base, idle], replications=3)
    value = played.summary().query("group == ''").set_index(["scenario", "kpi"])["value"]
    assert value["idle", "solved"] < value["baseline", "solved"]
    assert value["idle", "csat_all"] < value["baseline", "csat_all"]
    # Ratings of those who were served tell nothing of it.
    assert value["idle", "csat"] > value["idle", "csat_all"] + 0.1


def test_a_row_of_a_comparison_has_one_unit():
    """An interval of minutes about seconds does not turn the difference into minutes."""
    wild = np.array([-70.0, 60.0, -50.0, 65.0])
    frames = [rows("a", "resolution_mean", STEP + 23.4), rows("b", "resolution_mean", wild + 18.9)]
    (text,) = compare(results(*frames), kpis=["resolution_mean"]).sentences()
    assert " s" in text
    assert " min" not in text


def test_models_with_the_same_assumptions_and_other_customers_are_told_of():
    """Two models on one assumed profile cannot differ in quality; other customers are no effect."""
    desk = twin.from_data(
        {
            "name": "a",
            "horizon": "1d",
            "arrivals": {"rate": "6/h"},
            "assistant": {"role": "full", "backend": "profile", "model": "openai/gpt-oss-20b"},
            "agents": {"all": {"heads": 1, "handle_time": "5min", "cost": 20}},
        }
    )
    other = desk.vary({"assistant.model": "openai/gpt-oss-120b"}, name="large")
    happy = desk.vary({"customers.solved.assistant": 1.0}, name="happy")
    better = desk.vary(
        {"assistant.model": "openai/gpt-oss-120b", "assistant.profile.accuracy": 0.9}, name="right"
    )
    notes = twin.compare(twin.run([desk, other, happy, better], replications=2)).notes
    assert [note.partition(":")[0] for note in notes] == ["large", "happy"]
    assert "same assumed accuracy and quality" in notes[0]
    assert "customers.solved" in notes[1]


def test_a_difference_that_is_far_more_than_matters_asks_for_few_replications():
    """The advice counts to the size found where that is larger than the smallest that matters."""
    rows = [
        {"scenario": name, "kpi": "wait", "group": "", "unit": "s", "replication": k,
         "numerator": mean + noise, "denominator": 1.0}
        for name, mean in (("was", 0.0), ("now", 100.0))
        for k, noise in enumerate((0.0, 300.0 * (name == "now"), 0.0))
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    row = differences(frame, "was", [("wait", "")], matters=[(1.0, 0.0)]).iloc[0]
    assert row["p_adjusted"] > 0.05
    assert row["more_replications"] < 30


def test_people_are_not_praised_for_tickets_that_the_assistant_kept_from_them():
    """With no ticket left to the unsure, other customers wait for a person: no merit, no praise."""
    assistant = {"role": "full", "backend": "profile", "confidence_threshold": 0.9}
    strict = desk(assistant=assistant)
    bold = strict.vary({"assistant.confidence_threshold": 0.0}, name="bold")
    staffed = strict.vary({"agents.all.heads": 9}, name="staffed")
    kpis = ["human_service_level", "human_response_mean"]
    found = compare(twin.run([strict, bold, staffed], replications=6), strict.name, kpis).table
    mine = found[found["scenario"] == "bold"]
    assert "better" not in set(mine["verdict"])
    judged = mine[mine["verdict"] == "not judged"]
    assert len(judged)
    assert judged["reason"].str.startswith("other tickets need a person (assistant.conf").all()
    # More people for the same tickets are judged.
    assert "not judged" not in set(found.loc[found["scenario"] == "staffed", "verdict"])
