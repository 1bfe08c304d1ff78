"""Pools of agents out of what they took: planted desks come back as they were planted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import twin
from twin.history import call_desk, kinds, pools_choice, slopes, versions
from twin.history.calibrated_file import write_calibrated
from twin.history.call_pools import one_pool, pools_of_agents, several_pools, with_pools
from twin.history.fidelity import rosters, rungs
from twin.history.fit import capacity
from twin.history.fit.pools import fit_pools, nearest
from twin.history.fit.waits import Waits

HOURS = [0] * 8 + [3, 5, 6, 5, 4, 4, 5, 5, 4, 3] + [0] * 6
KINDS = {"billing": 3, "access": 2, "other": 1}


def pool(heads, skills, **more):
    shift = {"days": "daily", "start": "08:00", "end": "18:00", "heads": heads}
    handle = {"distribution": "exponential", "mean": "4min"}
    return {"shifts": [shift], "handle_time": handle, "skills": skills, "individuals": True} | more


DESKS = {
    "one": {"line": pool(4, [])},
    "two": {"bill": pool(3, ["billing"]), "rest": pool(3, ["access", "other"])},
    # Some take billing alone, others all.
    "n": {"bill": pool(2, ["billing"]), "all": pool(3, [])},
}


def planted(folder, agents, days=10, rate="18/h", **more):
    """A log of calls of a desk whose pools are known, read back as a history."""
    desk = twin.from_data({
        "start": "2026-03-02", "horizon": f"{days}d", "agents": agents,
        "arrivals": {"kind": "hourly", "rate": rate, "week": {"hours": HOURS}},
        "tickets": {"category_mix": KINDS},
        "customers": {"patience": {"distribution": "exponential", "mean": "6min"}},
    } | more)  # fmt: skip
    log = twin.simulate(desk, twin.draw(desk))
    rows = log.visits.merge(log.tickets[["ticket_id", "category_true"]])
    begin = pd.Timestamp("2026-03-02")

    def at(column):
        return (begin + pd.to_timedelta(rows[column], unit="s")).dt.strftime("%FT%T.%f")

    served = rows["started_s"].notna()
    who = rows["pool"].astype(str) + " " + rows["agent"].astype(str)
    pd.DataFrame({
        "call": rows["ticket_id"], "arrived": at("queued_s"), "answered": at("started_s"),
        "ended": at("ended_s"), "kind": rows["category_true"],
        "outcome": np.where(served, "served", "abandoned"), "agent": who.where(served, ""),
    }).to_csv(folder / "calls.csv", index=False)  # fmt: skip
    return twin.read_history(folder / "calls.csv", zone="UTC", keep_names=True)


@pytest.fixture(scope="module")
def histories(tmp_path_factory):
    return {name: planted(tmp_path_factory.mktemp(name), one) for name, one in DESKS.items()}


def teams(split, history):
    """By its categories, the pools whose agents a part holds."""
    names = planted_pools(history)
    return {part.takes: set(names.loc[part.visits.index].dropna()) for part in split.parts}


def planted_pools(history):
    """Of each visit the pool that was planted: agents keep their names."""
    spells = history.extra["spells"]
    names = spells["agent"].astype(object).str.split().str[0]
    return names.set_axis(history.log.visits.index)


def test_agents_who_take_the_same_are_one_pool(histories):
    assert several_pools(histories["one"].log) is None
    assert one_pool(histories["one"].log).parts[0].takes == ()


def test_disjoint_pools_come_back(histories):
    found = several_pools(histories["two"].log)
    assert teams(found, histories["two"]) == {
        ("billing",): {"bill"}, ("access", "other"): {"rest"}
    }  # fmt: skip
    assert found.apart
    shares = {one.key: one.value for one in found.estimates}
    assert sum(shares.values()) == pytest.approx(1)


def test_pools_that_overlap_come_back(histories):
    found = several_pools(histories["n"].log)
    assert teams(found, histories["n"]) == {
        ("billing",): {"bill"}, ("access", "billing", "other"): {"all"}
    }  # fmt: skip
    # Then the waits must tell whether they are two pools.
    assert not found.apart
    # They take billing first, as in the file that was planted.
    assert found.pool_choice == "in order"
    assert found.parts[0].takes == ("billing",)


def test_the_order_in_which_pools_are_asked_is_found(tmp_path):
    turned = planted(tmp_path, dict(reversed(DESKS["n"].items())))
    found = several_pools(turned.log)
    assert found.pool_choice == "in order"
    assert found.parts[-1].takes == ("billing",)
    by_chance = planted(tmp_path, DESKS["n"], routing={"pool_choice": "random"})
    assert several_pools(by_chance.log).pool_choice == "random"


def test_agents_of_other_days_go_to_the_pool_that_takes_what_they_took(histories):
    desk = twin.from_data({
        "horizon": "1d", "arrivals": {"rate": "6/h"}, "tickets": {"category_mix": KINDS},
        "agents": {"agents-1": pool(2, ["billing"]),
                   "agents-2": pool(3, ["access", "billing", "other"])},
    })  # fmt: skip
    log = histories["n"].log
    taken = log.visits[log.visits["agent"].notna()]
    first = ~taken["agent"].duplicated()
    planted = planted_pools(histories["n"]).loc[taken.index][first]
    skills = {name: one.skills for name, one in desk.agents.items()}
    found = pools_of_agents(log, skills)
    assert found.tolist() == [{"bill": "agents-1", "all": "agents-2"}[name] for name in planted]
    pools = with_pools(log, skills).visits.loc[taken.index, "pool"].astype(str)
    planted = planted_pools(histories["n"]).loc[taken.index]
    assert pools.tolist() == planted.map({"bill": "agents-1", "all": "agents-2"}).tolist()
    there = call_desk.sessions_of(histories["n"], desk)
    assert set(there["pool"]) == {"agents-1", "agents-2"}
    assert (there["end_s"] >= there["start_s"]).all()


def test_pools_by_hand():
    """Five take both kinds, three the first alone; of the last too little is known."""
    took = np.array([[30.0, 30.0]] * 5 + [[60.0, 0.0]] * 3 + [[3.0, 0.0]])
    expected = np.array([[35.0, 25.0]] * 8 + [[2.0, 1.0]])
    found = fit_pools(took, expected)
    assert found.takes.tolist() == [[True, False], [True, True]]
    assert found.pool[:8].tolist() == [1] * 5 + [0] * 3
    assert nearest(took, expected, found.takes)[:8].tolist() == [1] * 5 + [0] * 3


def test_small_pools_go_to_the_nearest_and_every_kind_is_taken():
    took = np.array([[100.0, 0, 0]] * 4 + [[0, 100.0, 0]] * 4 + [[0, 30.0, 30.0]])
    expected = took.sum(axis=1, keepdims=True) * took.sum(axis=0) / took.sum()
    found = fit_pools(took, expected)
    assert len(found) == 2
    assert found.takes.any(axis=0).all()
    assert found.pool[8] == found.pool[4]


def test_kinds_count_by_their_customers():
    seen = Waits(np.full(200, 9), np.r_[np.zeros(100), np.full(100, 60.0)], np.ones(200, bool),
                 np.zeros(200, int), np.repeat(["a", "b"], 100).astype(object))  # fmt: skip
    assert pools_choice.by_category(seen, seen) == 0
    # The same waits all together, but the other way round.
    turned = Waits(seen.hour, seen.wait_s[::-1], seen.served, seen.day, seen.kind)
    assert capacity.gap(seen, turned).loss == 0
    assert pools_choice.by_category(seen, turned) > 1


def test_days_are_predicted_from_those_before_them():
    days = np.ones(28, bool)
    assert pools_choice._splits(days) == [(21, 28), (14, 21)]
    assert pools_choice._splits(days[:14]) == [(7, 14)]
    assert pools_choice._splits(days[:9]) == [(4, 9)]


@pytest.fixture(scope="module")
def found(histories):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("_ROUNDS", 1), ("_RATE_PLAYS", 5), ("_HOUR_PLAYS", 1)):
            patch.setattr(capacity, name, value)
        patch.setattr(call_desk, "_BACK_TESTS", 1)
        patch.setattr(pools_choice, "_BACK_TESTS", 1)
        yield twin.calibrate(histories["two"])


def test_several_pools_are_used_where_they_come_nearer_to_the_waits(found, histories, tmp_path):
    pools = found.data["agents"]
    assert {name: set(one["skills"]) for name, one in pools.items()} == {
        "agents-1": {"billing"}, "agents-2": {"access", "other"}
    }  # fmt: skip
    assert any("used: several pools" in line for line in found.said)
    for one in pools.values():
        assert one["shifts"]
    # What the history leaves open is told of each pool.
    assert {one.key[1] for one in found.versions if one.key[0] == "agents"} == set(pools)
    heads = found.files["roster.csv"].groupby("pool")["heads"].max()
    assert heads.max() <= 2.5 * 3
    path = write_calibrated(found, histories["two"], tmp_path / "desk.toml")
    text = path.read_text(encoding="utf-8")
    assert "agents who take these" in text
    desk = twin.load(path)
    log = twin.simulate(desk, twin.draw(desk))
    worked = log.visits.merge(log.tickets[["ticket_id", "category_true"]]).dropna(subset="pool")
    kinds = worked.groupby(worked["pool"].astype(str))["category_true"].agg(set)
    assert kinds.to_dict() == {"agents-1": {"billing"}, "agents-2": {"access", "other"}}
    days = range(desk.start.toordinal() - 3, desk.start.toordinal())
    seen = rosters.heads_seen(call_desk.sessions_of(histories["two"], desk),
                              histories["two"].desk, days)  # fmt: skip
    table = rosters.roster_of(desk, seen, days[:2], days[2:])
    assert set(table["pool"]) == set(pools)
    table.to_csv(tmp_path / "roster.csv", index=False)
    given = rungs.with_roster(desk, tmp_path / "roster.csv")
    assert all(one.roster and one.shifts is None for one in given.agents.values())


@pytest.mark.slow
def test_fidelity_gives_each_pool_its_own_roster(found, histories, tmp_path):
    desk = twin.load(write_calibrated(found, histories["two"], tmp_path / "desk.toml"))
    told = twin.fidelity(
        desk, histories["two"], "2026-03-08",
        sessions=call_desk.sessions_of(histories["two"], desk),
    )  # fmt: skip
    table = told.rungs.set_index(["rung", "measure"])["verdict"]
    assert table["VR", "handle"] == "within the floor"


def test_what_days_leave_open_of_one_pool_says_nothing_of_the_other(found, histories, monkeypatch):
    """Pools that share no kind: waits drawn again for one change the agents of that one alone."""
    fit = capacity.CapacityFit(
        capacity.Availability(0.5, 8.0, 20.0, 20.0, np.ones(24)),
        capacity.Gap(1, 1, 0, 0, 0.1), capacity.Gap(9, 9, 0, 0, 0.9), 1,
    )  # fmt: skip
    names = list(found.data["agents"])
    away = {"after_touch": 0.5, "while_idle": "8/h", "returns": "20/h",
            "returns_per_queued": "20/h"}  # fmt: skip

    def given(data):
        return data | {"agents": {name: one | {"away": away}
                                  for name, one in data["agents"].items()}}  # fmt: skip

    changed = replace(found, data=given(found.data), as_it_was=given(found.as_it_was),
                      pools=dict.fromkeys(names, fit), versions=())  # fmt: skip
    asked = []

    def known(calibration, starts, pools, workers):
        asked.append(list(pools))
        none, days = np.zeros((2, 2)), np.zeros((2, len(starts) - 1))
        return slopes.Slopes(days, np.ones(2, bool), np.diag([1e12, 40.0]), none, np.zeros(2))

    monkeypatch.setattr(versions, "slopes", known)
    history = kinds.as_calibrated(histories["two"], found.data)
    drawn = {one.key: one.values for one in versions.with_versions(changed, history).versions}
    assert asked == [names]
    for key in ("returns", "returns_per_queued"):
        # Waits hardly hang on the first one's times away, and so these stay.
        assert (drawn["agents", names[0], "away", key] == 1).all()
        rates = drawn["agents", names[1], "away", key]
        assert rates.std() > 0.01
        assert (1 / rates).mean() == pytest.approx(1, abs=1e-3)
    # Heads are those of the rosters drawn again: in the middle of a shift all were there.
    for name in names:
        noon = [k for k, one in enumerate(found.data["agents"][name]["shifts"])
                if one["start"] == "12:00"]  # fmt: skip
        assert drawn["agents", name, "shifts", "*", "heads"][:, noon] == pytest.approx(1, abs=0.02)


def test_waits_count_for_each_pool_that_takes_them(histories):
    log = histories["two"].log
    starts = np.arange(11) * 86400.0
    kind = log.tickets.set_index("ticket_id")["category_true"].astype(object)
    own = log.visits["ticket_id"].map(kind)
    takes = [(), ("billing",), ("access", "other")]
    total, number = slopes.waited(log.visits, own.to_numpy(), log.horizon_s, starts, takes)
    assert total.shape == number.shape == (3, 10)
    assert total[0] == pytest.approx(total[1] + total[2])
    assert (number[0] == number[1] + number[2]).all()
    assert number[1].sum() == (own == "billing").sum()


def test_a_little_more_of_each_is_played_for_each_pool(found):
    """Longer waits with less of the own pool's agents, or more of its work, and of no other."""
    starts = np.arange(11) * 86400.0
    names = list(found.data["agents"])
    data = found.as_it_was
    known = slopes.slopes(found, starts, names)
    away = ["away" in data["agents"][name] for name in names]
    assert known.away.tolist() == away
    own = np.diag(known.agents)
    assert (np.where(known.away, own, -own) > 0).all()
    assert (np.diag(known.work) > 0).all()
    # Who shares no kind does not wait for the other.
    assert (known.agents[~np.eye(2, dtype=bool)] == 0).all()
    assert (known.work[~np.eye(2, dtype=bool)] == 0).all()


def test_groups_stand_for_categories_where_those_tell_no_pools(histories, tmp_path):
    """Topics are not told, or say nothing of who takes what; groups do."""
    from twin.history.kinds import kinds_as, with_kinds

    history = histories["two"]
    kinds = history.log.tickets["category_true"].astype(object)
    keys = history.extra["keys"].assign(group=kinds.to_numpy())
    grouped = replace(history, extra=history.extra | {"keys": keys})
    _, said = with_kinds(grouped)
    assert said == ""
    topics = np.array(["a", "b"], dtype=object)[np.arange(len(kinds)) % 2]
    tickets = history.log.tickets.assign(category_true=topics)
    for column, words in ((topics, "agents go by them"), (None, "does not tell")):
        log = replace(history.log, tickets=tickets.assign(category_true=column))
        found, said = with_kinds(replace(grouped, log=log))
        assert words in said
        assert found.log.tickets["category_true"].astype(str).tolist() == kinds.tolist()
    # A twin of groups is compared with a history of topics by groups.
    desk = twin.from_data({
        "horizon": "1d", "arrivals": {"rate": "6/h"}, "tickets": {"category_mix": KINDS},
        "agents": {"all": pool(2, [])},
    })  # fmt: skip
    assert kinds_as(grouped, desk) is grouped
    compared = kinds_as(replace(grouped, log=replace(history.log, tickets=tickets)), desk)
    assert compared.log.tickets["category_true"].astype(str).tolist() == kinds.tolist()
    assert with_kinds(history)[0] is history


@pytest.mark.slow
@pytest.mark.parametrize("name", list(DESKS))
def test_how_often_planted_pools_come_back(name, tmp_path):
    """Of 40 desks of ten days each: pools by who takes what, without any play."""
    right = 0
    for seed in range(40):
        history = planted(tmp_path, DESKS[name], seed=1000 + seed)
        found = several_pools(history.log)
        if name == "one":
            right += found is None
        else:
            planted_ = {"two": [{"bill"}, {"rest"}], "n": [{"bill"}, {"all"}]}[name]
            right += found is not None and sorted(map(sorted, teams(found, history).values())) == (
                sorted(map(sorted, planted_))
            )
    print(f"{name}: {right} of 40 as planted")
    assert right >= 38
