"""Desks of very many pools are looked at once a pool, not once a pair of them."""

import pytest

import twin
from twin.experiments.workload import _able, workload
from twin.report.explain import explain
from twin.scenario.sections.people import Pool

MANY = 300
SKILLS = {"": [], "own": ["a"], "two": ["a", "b"], "other": ["z"]}


def of_many(count=MANY, **more):
    names = [f"c{k}" for k in range(count)]
    pools = {
        f"p{k}": {"heads": 1, "handle_time": "5min", "skills": [name]} | more
        for k, name in enumerate(names)
    }
    return twin.from_data({
        "horizon": "1d", "arrivals": {"rate": "6/h"}, "agents": pools,
        "tickets": {"category_mix": dict.fromkeys(names, 1.0)},
    })  # fmt: skip


@pytest.mark.parametrize("member", [None, *SKILLS])
@pytest.mark.parametrize("own", list(SKILLS))
@pytest.mark.parametrize("more", [{}, {"extra_heads": 1}])
def test_who_takes_what_is_the_same_asked_by_pool_and_by_category(own, member, more):
    pool = {"heads": 1, "handle_time": "1min", "skills": SKILLS[own]} | more
    if member is not None:
        pool |= {"individuals": True, "members": [{"name": "Ann", "skills": SKILLS[member]}]}
    desk = twin.from_data({
        "horizon": "1d", "arrivals": {"rate": "6/h"},
        "agents": {"one": pool, "all": {"heads": 1, "handle_time": "1min",
                                        "transfers_to": {"one": 0.1}}},
    })  # fmt: skip
    pools, names = list(desk.agents.values()), ["a", "b", "c"]
    found = _able(pools, names)
    assert [[p.name for p in able] for able in found] == [
        [p.name for p in pools if p.takes(name)] for name in names
    ]
    # As it is defined: any of its agents has the skill, or is given none.
    one = desk.agents["one"]
    skills = [m.skills or one.skills for m in one.members]
    skills += [one.skills] if not one.members or one.anonymous else []
    for name in names:
        wanted = not one.transfers_only and any(not s or name in s for s in skills)
        assert one.takes(name) == wanted


def test_each_pool_is_asked_for_its_pace_and_categories_once(monkeypatch):
    desk = of_many()
    demand = twin.draw(desk)
    asked = {"pace": 0, "takes_only": 0}
    pace, only = Pool.pace, Pool.takes_only.fget

    def counted_pace(self, weight=1):
        asked["pace"] += 1
        return pace(self, weight)

    def counted_only(self):
        asked["takes_only"] += 1
        return only(self)

    monkeypatch.setattr(Pool, "pace", counted_pace)
    monkeypatch.setattr(Pool, "takes_only", property(counted_only))
    # 6 tickets an hour of 5 minutes, and some come back, on a desk of many pools as of one.
    alone = of_many(1)
    wanted = workload(alone, twin.draw(alone)).ticket_s
    assert workload(desk, demand).ticket_s == pytest.approx(wanted)
    assert asked["pace"] <= MANY + 1
    assert list(explain(desk))
    assert asked["takes_only"] <= 8 * MANY


def test_transfers_among_many_pools_are_reckoned_as_among_few():
    few = twin.from_data({
        "horizon": "1d", "arrivals": {"rate": "6/h"},
        "agents": {"first": {"heads": 1, "handle_time": "5min", "transfers_to": {"second": 0.5}},
                   "second": {"heads": 1, "handle_time": "10min", "transfers_only": True}},
        "customers": {"reopen_rate": 0.0},
    })  # fmt: skip
    # Half of the tickets take 10 minutes more.
    assert workload(few, twin.draw(few)).ticket_s == pytest.approx(300 + 0.5 * 600)
