"""Channels by which tickets come: their pools, times, patience and promises."""

import numpy as np
import pytest
from days import MIN, desk, visits
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS

from twin.common.errors import ScenarioError
from twin.common.parquet import write_parquet
from twin.demand.luck import Stream
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.experiments.checks import check
from twin.experiments.workload import workload
from twin.measures import theory
from twin.measures.figures import measure
from twin.records import storage
from twin.report.assumptions import assumptions
from twin.report.explain import explain
from twin.scenario.model import from_data

MIX = {"email": 3.0, "chat": 1.0, "phone": 1.0, "web": 0.0}
MIX_NAMES = list(MIX)


def test_a_mix_goes_by_luck_of_its_own():
    plain = desk({"rate": "60/h"})
    scenario = from_data(plain | {"tickets": {"channel_mix": MIX}})
    demand, before = draw(scenario), draw(from_data(plain))
    assert demand.channels == ("email", "chat", "phone", "web")
    u = demand.uniform(Stream.CHANNEL)
    assert (demand.channel == np.digitize(u, [0.6, 0.8])).all()
    # Nothing else of a ticket differs, and without channels none is known.
    assert (demand.arrived_s == before.arrived_s).all()
    assert before.channel is None
    logs = [simulate(one, draw(one)) for one in (scenario, from_data(plain))]
    assert logs[1].tickets["channel"].isna().all()
    for name in ("timeline", "visits"):
        assert getattr(logs[0], name).equals(getattr(logs[1], name))
    assert logs[0].tickets["channel"].tolist() == [MIX_NAMES[k] for k in demand.channel]


def test_a_trace_and_a_backlog_say_their_channels(play, arrive, tmp_path):
    (tmp_path / "open.csv").write_text("timestamp,channel\n-60,phone\n-30,\n")
    data = desk(arrive(0, 60, 120, channel=["phone", "e-mail", ""]))
    log = play(data | {"backlog": {"file": str(tmp_path / "open.csv")}})
    found = log.tickets["channel"].astype(object).fillna("?").tolist()
    assert found == ["phone", "?", "phone", "e-mail", "?"]
    # A mix goes before them, as one of priorities does.
    log = play(data | {"tickets": {"channel_mix": {"fax": 1}}})
    assert log.tickets["channel"].tolist() == ["fax"] * 3
    (tmp_path / "open.csv").write_text("timestamp,channel\n-60,phoen\n")
    with pytest.raises(ScenarioError, match=r'unknown channel "phoen"; did you mean "phone"'):
        check(from_data(data | {"backlog": {"file": str(tmp_path / "open.csv")}}))
    # Without channels in the trace, those of a backlog are not read.
    log = play(desk(arrive(0)) | {"backlog": {"file": str(tmp_path / "open.csv")}})
    assert log.tickets["channel"].isna().all()


AGENTS = {
    "chats": {"heads": 1, "handle_time": "4min", "channels": ["chat"]},
    "calls": {"heads": 1, "handle_time": "10min", "channels": ["phone"], "skills": ["Login"]},
    "all": {"heads": 1, "handle_time": "20min", "channels": ["mail"],
            "handle_times_by_channel": {"chat": "7min"}},
}  # fmt: skip


def test_pools_take_tickets_by_channel_and_skill(play, arrive):
    category = ["Login", "Login", "Payment", "Login", "Login", "Payment"]
    channel = ["chat", "phone", "mail", "chat", "mail", "phone"]
    arrivals = arrive(0, 1, 2, 3, 4, 5, category=category, channel=channel)
    nan = pytest.approx(np.nan, nan_ok=True)
    log = play(desk(arrivals, agents=AGENTS))
    assert visits(log, "pool", "started_s", "ended_s")[:5] == [
        (1, "chats", 0, 240),
        (2, "calls", 1, 601),
        (3, "all", 2, 1202),
        (4, "chats", 240, 480),
        (5, "all", 1202, 2402),
    ]
    # Nobody takes a Payment by phone; with overflow, the pool for mail does, whatever its channels.
    assert visits(log, "started_s", "end")[5] == (6, nan, "open")
    said = "\n".join(explain(from_data(desk(arrivals, agents=AGENTS))))
    assert 'no pool takes "Payment" by phone: agents never handle such tickets.' in said
    assert 'no pool takes "Payment" by mail' not in said
    assert "takes Login by phone" in said
    assert "They come 33.3 % by chat, 33.3 % by mail, 33.3 % by phone." in said
    agents = AGENTS | {"chats": AGENTS["chats"] | {"overflow_to": ["all"]}}
    log = play(desk(arrivals, agents=agents))
    # At 3 both are busy; the pool for chats is free first. A chat with the others takes 7 min.
    assert visits(log, "pool", "started_s")[3] == (4, "chats", 240)
    arrivals = arrive(0, 1, 2, 3, 4, 5, category=category, channel=["chat"] * 4 + ["mail", "phone"])
    log = play(desk(arrivals, agents=agents, horizon="2d"))
    assert visits(log, "pool", "started_s", "ended_s")[:3] == [
        (1, "chats", 0, 240),
        (2, "all", 1, 421),
        (3, "chats", 240, 480),
    ]


def test_handle_times_and_patience_by_channel_go_before_those_by_category(play, arrive):
    pool = {"heads": 2, "handle_time": "20min", "handle_times": {"Login": "9min"},
            "handle_times_by_channel": {"chat": "3min"}}  # fmt: skip
    patience = {"patience": "1h", "patience_by_category": {"Login": "2min"},
                "patience_by_priority": {"normal": "40min"},
                "patience_by_channel": {"chat": "1min"}}  # fmt: skip
    arrivals = arrive(0, 0, 5, 5, 5, category=["Login", "Other", "Login", "Login", "Other"],
                      channel=["chat", "phone", "chat", "phone", ""])  # fmt: skip
    log = play(desk(arrivals, patience, agents={"all": pool}))
    assert visits(log, "started_s", "ended_s", "end") == [
        (1, 0, 3 * MIN, "done"),
        (2, 0, 20 * MIN, "done"),
        (3, pytest.approx(np.nan, nan_ok=True), 65, "abandoned"),
        (4, pytest.approx(np.nan, nan_ok=True), 125, "abandoned"),
        (5, 3 * MIN, 23 * MIN, "done"),
    ]
    scenario = from_data(desk(arrivals, patience, agents={"all": pool}))
    assert "or by a patience of their channel or category or priority" in str(assumptions(scenario))
    assert "chat 1 min" in explain(scenario)[-1]


def test_figures_and_promises_by_channel(play, arrive):
    targets = {"first_response": {"normal": "15min"}, "first_response_by_channel": {"chat": "1min"},
               "resolution_by_channel": {"chat": "12min"}}  # fmt: skip
    channel = ["chat", "mail", "chat", "mail", ""]
    data = desk(arrive(0, 0, 60, 60, 60, channel=channel), {"patience_by_channel": {"mail": "1h"}},
                agents={"all": {"heads": 2, "handle_time": "10min"}}, targets=targets)  # fmt: skip
    log = play(data)
    table = measure(log, from_data(data)).set_index(["kpi", "group"])["value"]
    assert table["arrivals", "chat"] == table["arrivals", "mail"] == 2
    assert table["first_response_mean", "chat"] == table["first_response_mean", "mail"] == 270
    assert table["agent_wait_mean"].to_dict() == {"": (540 * 2 + 1140) / 5, "chat": 270,
                                                  "mail": 270}  # fmt: skip
    # The second chat waits 9 min: too long for a chat, not for mail; the last waits 19 min.
    assert table["service_level"].to_dict() == {"": 3 / 5, "normal": 3 / 5, "chat": 0.5, "mail": 1}
    assert table["human_service_level", "chat"] == 0.5
    assert table["resolution_within_target", "chat"] == 0.5
    assert np.isnan(table["resolution_within_target", "mail"])
    assert table["abandonment_rate", "mail"] == 0
    assert table["solved", "chat"] == 1
    said = "\n".join(explain(from_data(data)))
    assert "First response is promised within: normal 15 min, chat 1 min" in said
    # A desk without channels has no such rows.
    plain = desk(arrive(0))
    groups = set(measure(play(plain), from_data(plain))["group"])
    assert groups <= {"", "normal", "all", "General", *"12345"}


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"agents": {"all": {"heads": 1, "handle_time": "1min", "channels": ["chta"]}}},
         r'agents\.all\.channels: no ticket has this channel.*mean "chat"'),
        ({"agents": {"all": {"heads": 1, "handle_time": "1min",
                             "handle_times_by_channel": {"mail": "1min"}}}},
         r"agents\.all\.handle_times_by_channel: no ticket has this channel"),
        ({"customers": {"patience_by_channel": {"fax": "1min"}}}, "customers.patience_by_channel"),
        ({"targets": {"resolution_by_channel": {"fax": "1min"}}}, "targets.resolution_by_channel"),
        ({"tickets": {"channel_mix": {"General": 1}}}, r"tickets\.channel_mix: .* like a category"),
        ({"tickets": {"channel_mix": {"normal": 1}}}, r"tickets\.channel_mix: .* like a priority"),
        ({"tickets": {"channel_mix": {"chat": 0.0}}}, "channel_mix must have a weight above 0"),
        ({"tickets": {}, "customers": {"patience_by_channel": {"chat": "1min"}}},
         "none is known: give tickets.channel_mix"),
    ],
)  # fmt: skip
def test_faults_name_the_key(sections, words):
    with pytest.raises(ScenarioError, match=words):
        check(from_data({**desk({"rate": "1/h"}), "tickets": {"channel_mix": MIX}, **sections}))


@SETTINGS
@given(st.integers(0, 1000), st.sampled_from(["", "hand over"]))
def test_channels_that_make_no_difference_make_none(seed, end):
    shift = {"start": "00:00", "end": "06:00", "heads": 2}
    pool = {"shifts": [shift], "handle_time": {"distribution": "exponential", "mean": "10min"}}
    pool |= {"at_shift_end": end} if end else {}
    own = pool | {"channels": ["chat", "email"]}
    own |= {"handle_times_by_channel": {"chat": pool["handle_time"]}}
    impatient = {"patience": "30min", "patience_by_channel": {"email": "30min"}}
    plain = desk({"rate": "14/h"}, {"patience": "30min"}, agents={"all": pool}, seed=seed)
    more = desk({"rate": "14/h"}, impatient, agents={"all": own}, seed=seed,
                tickets={"channel_mix": {"chat": 1, "email": 2}})  # fmt: skip
    logs = [simulate(one, draw(one)) for one in map(from_data, (plain, more))]
    for name in ("timeline", "visits"):
        assert getattr(logs[0], name).equals(getattr(logs[1], name))
    assert theory.erlang_bounds(from_data(more)) == {}


def test_expected_work_goes_by_channel():
    data = desk({"rate": "12/h"}, horizon="20d", agents={
        "chats": {"heads": 4, "handle_time": "4min", "channels": ["chat"]},
        "mails": {"heads": 4, "handle_time": "9min", "handle_times_by_channel": {"mail": "12min"},
                  "channels": ["mail", "web"]},
    }, tickets={"channel_mix": {"chat": 1, "mail": 1, "web": 2}})  # fmt: skip
    scenario = from_data(data)
    demand = draw(scenario)
    expected = workload(scenario, demand)
    assert expected.ticket_s == pytest.approx((4 + 12 + 2 * 9) / 4 * 60)
    log = simulate(scenario, demand)
    worked = (log.visits["ended_s"] - log.visits["started_s"]).mean()
    assert worked == pytest.approx(expected.ticket_s, rel=0.01)


def test_runs_from_before_there_were_channels_are_read(tmp_path):
    scenario = from_data(desk({"rate": "6/h"}))
    log = simulate(scenario, draw(scenario))
    for table in ("tickets", "kpis"):
        frame = log.tickets if table == "tickets" else measure(log, scenario)
        storage.write_part(tmp_path, table, 0, frame)
    old = storage.as_arrow("tickets", 0, log.tickets).drop_columns(["channel"])
    write_parquet(tmp_path / "tickets" / "r0000.parquet", old)
    found = storage.read_table([("old", tmp_path)], "tickets")
    assert found["channel"].isna().all()
    assert found.drop(columns=["scenario", "replication"]).columns.tolist() == list(log.tickets)
    assert found["resolved_s"].equals(log.tickets["resolved_s"])
    some = storage.read_table([("old", tmp_path)], "tickets", ["ticket_id", "channel"])
    assert some.columns.tolist() == ["scenario", "replication", "ticket_id", "channel"]
    assert some["channel"].isna().all()
