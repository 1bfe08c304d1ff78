"""Tickets that are open when a run starts: in order of age, on levels and not in their figures."""

import numpy as np
import pytest
from days import ALWAYS, HOUR, MIN, assistant, desk, life, provider, spans, value
from scipy import stats
from strategies import DATA

import twin
from twin.common.errors import ScenarioError
from twin.demand.luck import Stream
from twin.demand.tickets import draw
from twin.measures import levels
from twin.measures.theory import erlang_bounds
from twin.scenario.model import PRIORITIES, from_data

NOBODY = {"rate": "0/h"}
DAY_OLD = {"distribution": "exponential", "mean": "1d"}


def pool(heads=1, handle_time="6min", **more):
    return {"all": {"heads": heads, "handle_time": handle_time, **more}}


@pytest.fixture
def write(tmp_path):
    def to(text):
        path = tmp_path / "open.csv"
        path.write_text(text)
        return {"file": str(path)}

    return to


@pytest.mark.parametrize("heads", [1, 3, 20])
def test_a_backlog_without_arrivals_drains_in_the_time_that_its_work_takes(play, heads):
    data = desk(NOBODY, backlog={"tickets": 10, "age": DAY_OLD}, agents=pool(heads))
    log = play(data)
    done = 6 * MIN * (1 + np.arange(10) // heads)
    assert sorted(log.tickets["resolved_s"]) == done.tolist()
    # The oldest first: tickets are numbered by age.
    assert log.tickets["resolved_s"].is_monotonic_increasing
    assert log.tickets["arrived_s"].is_monotonic_increasing
    assert (log.tickets["arrived_s"] < 0).all()
    level = levels.backlog(log)
    assert level.integral(np.array([0.0, 86400.0]))[1] == pytest.approx(done.sum())
    assert level.values[-1] == 0
    assert value(log, data, "arrivals") == 0


def test_work_of_any_length_is_done_without_a_pause(play):
    spread = {"distribution": "lognormal", "mean": "10min", "cv": 1.5}
    backlog = {"tickets": 50, "age": DAY_OLD}
    log = play(desk(NOBODY, backlog=backlog, agents=pool(1, spread), horizon="3d"))
    worked = spans(log)
    assert log.tickets["resolved_s"].max() == pytest.approx(sum(end - at for at, end in worked))
    assert log.tickets["resolved_s"].notna().all()


FILE = """timestamp,category,priority
2026-01-04 22:00,Login,normal
2026-01-02 09:00,Other,low
2026-01-03 12:00,Login,normal
2026-01-04 23:30,Other,urgent
"""
MIX = {"category_mix": {"Login": 1, "Other": 1}}


def test_recorded_tickets_wait_by_priority_then_age(play, write):
    log = play(desk(NOBODY, backlog=write(FILE), agents=pool(), tickets=MIX))
    # By age: Friday 9:00 (low), Saturday noon, Sunday 22:00, Sunday 23:30 (urgent).
    assert (log.tickets["arrived_s"] / HOUR).tolist() == [-63, -36, -2, -0.5]
    assert log.tickets["category_true"].tolist() == ["Other", "Login", "Login", "Other"]
    assert (log.tickets["resolved_s"] / MIN).tolist() == [24, 12, 18, 6]
    assert life(log, 1) == [(0, "Open"), (18 * MIN, "In Progress"), (24 * MIN, "Resolved")]


def test_who_arrives_takes_their_turn_after_the_backlog(play):
    backlog = {"tickets": 3, "age": "1h"}
    data = desk({"kind": "constant", "rate": "6/h"}, horizon="25min", backlog=backlog,
                agents=pool())  # fmt: skip
    log = play(data)
    # Backlog until 0:18; arrivals at 0:10 and 0:20.
    assert spans(log)[3:] == [[18 * MIN, 24 * MIN], [24 * MIN, pytest.approx(np.nan, nan_ok=True)]]
    assert value(log, data, "arrivals") == 2
    assert value(log, data, "first_response_mean") == (8 + 4) / 2 * MIN
    # A flow over time counts what is resolved, whoever it is.
    assert value(log, data, "throughput") == pytest.approx(4 / (25 / 60))


def test_a_ticket_that_waits_for_an_agent_is_not_asked_of_the_assistant(play, write):
    text = "timestamp,status\n-7200,Open\n-3600,Escalated\n"
    log = play(
        desk(NOBODY, backlog=write(text), agents=pool(), assistant=assistant(), provider=provider())
    )
    assert log.calls["ticket_id"].tolist() == [1, 1]
    assert life(log, 1)[:4] == [
        (0, "Open"),
        (2, "Categorized"),
        (2, "In Progress"),
        (7, "Resolved"),
    ]
    names = [status for _, status in life(log, 2)]
    assert names[:4] == ["Open", "Escalated", "In Progress", "Resolved"]
    assert log.tickets["resolved_s"][1] == 6 * MIN


def test_patience_begins_at_the_start(play):
    data = desk({"rate": "0/h"}, {"patience": "10min"}, backlog={"tickets": 3, "age": "2d"},
                agents=pool())  # fmt: skip
    log = play(data)
    # One is served at once, one after 6 min; the third would be after 12.
    assert log.tickets["status"].tolist().count("Abandoned") == 1
    gone = log.timeline[log.timeline["status"] == "Abandoned"]
    assert gone["time_s"].tolist() == [10 * MIN]
    assert value(log, data, "arrivals") == 0


def test_no_backlog_is_the_desk_without_and_others_keep_their_luck():
    plain = desk({"rate": "6/h", "scale": 1.5}, tickets=MIX | {"corpus": str(DATA / "corpus.csv")})
    none = {**plain, "backlog": {"tickets": 0, "age": "1h"}}
    one, two = (twin.play(from_data(data), 3).log for data in (plain, none))
    for table in ("tickets", "timeline", "visits", "ratings"):
        assert getattr(one, table).equals(getattr(two, table))
    some = draw(from_data({**plain, "backlog": {"tickets": 7, "age": DAY_OLD}}), 3)
    alone = draw(from_data(plain), 3)
    assert len(some) == len(alone) + 7
    for name in ("arrived_s", "category", "priority", "text"):
        assert (getattr(some, name)[7:] == getattr(alone, name)).all()
    for stream in Stream:
        assert (some.uniform(stream)[7:] == alone.uniform(stream)).all()


def test_ages_come_by_their_distribution_and_more_tickets_keep_the_first():
    few, many, other = (
        draw(from_data(desk(NOBODY, backlog={"tickets": n, "age": DAY_OLD})), replication)
        for n, replication in ((100, 0), (2000, 0), (2000, 1))
    )
    assert stats.kstest(-many.arrived_s, stats.expon(scale=86400).cdf).pvalue > 0.01
    assert np.isin(few.arrived_s, many.arrived_s).all()
    assert not np.isin(other.arrived_s, many.arrived_s).any()
    luck = many.uniform(Stream.HANDLE)
    assert stats.kstest(luck, "uniform").pvalue > 0.01
    # A ticket keeps its luck, too.
    among = np.isin(many.arrived_s, few.arrived_s)
    assert (luck[among] == few.uniform(Stream.HANDLE)).all()


def test_topics_and_priorities_are_as_of_all_tickets():
    tickets = {
        "corpus": str(DATA / "corpus.csv"),
        "category_mix": {"Login": 3, "Payment": 1},
        "priority_mix": {"urgent": 1, "low": 3},
    }
    demand = draw(
        from_data(desk(NOBODY, backlog={"tickets": 4000, "age": DAY_OLD}, tickets=tickets))
    )
    login = demand.categories.index("Login")
    assert (demand.category == login).mean() == pytest.approx(0.75, abs=0.03)
    assert (demand.priority == PRIORITIES.index("urgent")).mean() == pytest.approx(0.25, abs=0.03)
    assert (demand.corpus.category[demand.text] == demand.category).all()


def test_a_trace_may_follow_a_backlog_unless_it_has_texts(write, tmp_path):
    trace = {"kind": "trace", "trace": str(DATA / "trace.csv")}
    backlog = {"tickets": 2, "age": "1h"}
    with pytest.raises(ScenarioError, match="backlog: the texts of its tickets are not known"):
        draw(from_data(desk(trace, backlog=backlog)))
    (tmp_path / "trace.csv").write_text("timestamp,category\n60,Login\n120,Other\n")
    trace["trace"] = str(tmp_path / "trace.csv")
    demand = draw(from_data(desk(trace, backlog=write("timestamp,category\n-60,Other\n"))))
    assert demand.arrived_s.tolist() == [-60, 60, 120]
    assert [demand.categories[k] for k in demand.category] == ["Other", "Login", "Other"]
    twice = desk({**trace, "scale": 2.0}, backlog=backlog)
    assert (draw(from_data(twice)).arrived_s < 0).sum() == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("timestamp\n-10\n0\n20\n", "2 of its timestamps are not before the start of the run"),
        ("timestamp\n2026-01-05 00:00\n", "1 of its timestamps .* 2026-01-05: these tickets"),
        ("timestamp,category\n-10,Lgoin\n", r'unknown category "Lgoin"; did.*"Login"'),
        ("timestamp,priority\n-10,hgih\n", r'line 2.*unknown priority "hgih".*high'),
        ("timestamp,status\n-10,Closed\n", r'line 2.*unknown status "Closed".*Open, Esc'),
        ("timestamp\n", "holds no "),
        ("when\n-10\n", "no column timestamp"),
    ],
)
def test_a_bad_file_says_what_is_wrong(write, text, reason):
    scenario = from_data(desk(NOBODY, backlog=write(text), tickets=MIX))
    for use in (draw, twin.check):
        with pytest.raises(ScenarioError, match=rf"open.csv.*{reason}"):
            use(scenario)


@pytest.mark.parametrize(
    ("backlog", "reason"),
    [
        ({}, "give tickets .* or a file, one of them"),
        ({"tickets": 3}, "tickets and age go together"),
        ({"age": "1h"}, "give tickets .* or a file"),
        ({"tickets": 3, "age": "1h", "file": "open.csv"}, "one of them"),
        ({"file": "nowhere.csv"}, r"backlog\.file: no such file"),
        ({"tickets": 2_000_000, "age": "1h"}, r"backlog\.tickets"),
    ],
)
def test_a_backlog_that_cannot_be_is_a_fault(backlog, reason):
    with pytest.raises(ScenarioError, match=reason):
        from_data(desk(NOBODY, backlog=backlog))


def test_check_tells_of_the_backlog_and_theory_does_not_judge_it():
    data = desk({"rate": "1/h"}, {"reopen_rate": 0.0}, agents=pool(2, "30min"),
                backlog={"tickets": 12, "age": "3d"})  # fmt: skip
    assert (
        "When it starts, 12 tickets are open, the oldest for 3 d: about 6 hours of agents' work."
        in twin.explain(from_data(data))
    )
    memoryless = {"distribution": "exponential", "mean": "30min"}
    data = desk({"rate": "1/h"}, {"solved": ALWAYS}, agents=pool(2, memoryless))
    assert erlang_bounds(from_data(data))
    assert not erlang_bounds(from_data({**data, "backlog": {"tickets": 12, "age": "3d"}}))


def test_the_desk_settles_from_a_backlog_as_from_none():
    data = desk({"rate": "4/h"}, backlog={"tickets": 5, "age": "3d"}, agents=pool(2))
    found = twin.warm_up(from_data(data), replications=2, horizon_s=3 * 86400.0)
    assert set(found.figures) >= {"backlog", "first_response_mean"}
