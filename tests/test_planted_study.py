"""Planted desks by the dozen: exported as tools do, read back, calibrated and judged.

    python tests/test_planted_study.py FOLDER [--of calls,minutes,pools,four,clock,statuses,queue]

plays the desks that are not yet in FOLDER, a file each, prints what came of each, and sums up what
is there (--first: the first number). It takes about an hour on one core; ended, it goes on where it
was. Desks from number 201 on were never looked at while the fit was built.
`tests/benchmarks/README.md` has the results.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import planted
import planted_pools
import pytest

import twin
from twin.history.calibrated_file import write_calibrated
from twin.history.fit.away import seen_away
from twin.history.fit.rosters import sessions
from twin.history.what_ifs import ASSUMED, FOLLOWS

# Desks of each kind.
COUNTS = {"calls": 12, "minutes": 9, "pools": 9, "four": 2, "clock": 12, "statuses": 10, "queue": 5}
# Kind of what-if, and the change: to one pool, to the desk, to all pools.
CHANGES = {
    "one agent less": ("staffing", lambda desk, pool: {f"agents.{pool}.extra_heads": -1}),
    "a fifth more load": ("volume", lambda desk, pool: {"arrivals.scale": 1.2}),
    "a tenth less work": ("handle_time", lambda desk, pool: {
        f"agents.{name}.handle_scale": 0.9 for name in desk.agents
    }),
}  # fmt: skip
FIGURES = ("abandonment_rate", "agent_wait_mean")
_NEAR = 0.1
# With 24 of the truth, as before, its own error was a third of many an interval's half width.
_TRUTH, _TWIN = 72, 20


def effects(desk, replications, level=0.95, pool=None):
    """Differences that the changes make, each by itself: figure to (difference, low, high).

    One agent less is one of a pool, by default the first.
    """
    pool = next(iter(desk.agents)) if pool is None else pool
    varied = [desk.vary(change(desk, pool), name=name) for name, (_, change) in CHANGES.items()]
    results = twin.run([desk, *varied], replications=replications, engine="auto")
    found = {}
    for figure in FIGURES:
        # Each difference by itself: its own interval at the level, not a joint one.
        for name in CHANGES:
            wanted = [desk.name, name]
            kept = results.kpis[results.kpis["scenario"].isin(wanted)]
            runs = tuple(run for run in results.runs if run.scenario in wanted)
            alone = twin.Results(kept, results.failures, runs)
            row = twin.compare(alone, desk.name, [figure], level).table.iloc[0]
            found[f"{name}: {figure}"] = [row["difference"], row["low"], row["high"]]
    return found


def judged(one, truth):
    """An estimate against the truth."""
    low, high = float(one.low), float(one.high)
    return {
        "truth": truth, "value": float(one.value), "low": low, "high": high,
        "near": bool(abs(one.value - truth) <= _NEAR * abs(truth)),
        "inside": bool(low <= truth <= high) if low == low else None,
    }  # fmt: skip


def plain(value, truth):
    """A number without an interval against the truth."""
    near = bool(abs(value - truth) <= _NEAR * abs(truth))
    return {"truth": truth, "value": float(value), "near": near, "inside": None}


def minutes(number, folder):
    """A phone desk whose log of calls tells whole minutes."""
    return calls(number, folder, in_minutes=True)


def calls(number, folder, in_minutes=False):
    """A phone desk, its log of calls, and what its calibrated twin says."""
    desk = planted.call_desk(number, 14)
    log = twin.simulate(desk, twin.draw(desk))
    local = number % 2 == 1 and not in_minutes
    path = planted.log_of_calls(log, folder / "calls.csv", local, in_minutes)
    history = twin.read_history(path, zone="UTC", days_first=True if local else None)
    found = twin.calibrate(history)
    written = write_calibrated(found, history, folder / "desk.toml")
    pool = desk.agents["line"]
    known = {one.key: one for one in found.estimates}
    mix = desk.tickets.category_mix
    params = {
        "load": judged(known["arrivals.rate"], 3600 * desk.arrivals.rate),
        "handle time, short": judged(
            known["agents.agents.handle_times.Short"], pool.handle_time.mean_value()
        ),
        "handle time, long": judged(
            known["agents.agents.handle_times.Long"], pool.handle_times["Long"].mean_value()
        ),
        "share of long ones": judged(
            known["tickets.category_mix.Long"], mix["Long"] / sum(mix.values())
        ),
        "patience": judged(known["customers.patience"], desk.customers.patience.mean_value()),
    }  # fmt: skip
    visits = history.log.visits
    worked = sessions(visits)
    edges = np.array([-7200.0, log.horizon_s + 7200])
    staffing = log.staffing
    planned = float(staffing["on_shift"] @ np.diff([*staffing["time_s"], log.horizon_s]))
    params["hours on shift"] = plain(
        worked.on_shift().heads(edges)[0] * (edges[1] - edges[0]), planned
    )
    away = seen_away(visits, worked)
    if pool.away.after_touch and not in_minutes:
        params["chance to leave after a touch"] = plain(away.after_touch, pool.away.after_touch)
        truth = 3600 * (pool.away.returns + pool.away.returns_per_queued)
        params["returns with one waiting"] = plain(away.returns + away.returns_per_queued, truth)
    twin_desk = twin.load(written)
    return {
        "params": params,
        "effects": beside(effects(desk, _TRUTH), effects(twin_desk, _TWIN)),
        "says": says(twin_desk),
        "versions": twin_desk.as_data().get("uncertainty") is not None,
    }  # fmt: skip


def beside(right, ours):
    """True effects and those of a calibrated desk."""
    return {
        key: {
            "truth": right[key][0], "twin": ours[key],
            "inside": bool(ours[key][1] <= right[key][0] <= ours[key][2]),
        }
        for key in right
    }  # fmt: skip


def four(number, folder):
    """A phone desk of four pools."""
    return pools(number, folder, four=True)


def pools(number, folder, four=False):
    """A phone desk of several pools, its log of calls, and what its calibrated twin says.

    One agent less is of the first pool, or of the second one, in turn.
    """
    desk = planted_pools.pool_desk(number, four=four)
    log = twin.simulate(desk, twin.draw(desk))
    path = planted.log_of_calls(log, folder / "calls.csv")
    history = twin.read_history(path, zone="UTC", keep_names=True)
    began = time.process_time()
    found = twin.calibrate(history)
    seconds = round(time.process_time() - began, 1)
    twin_desk = twin.load(write_calibrated(found, history, folder / "desk.toml"))
    known = {one.key: one for one in found.estimates}
    patience = desk.customers.patience.mean_value()
    mix = desk.tickets.category_mix
    params = {"load": judged(known["arrivals.rate"], 3600 * desk.arrivals.rate),
              "patience": judged(known["customers.patience"], patience)}  # fmt: skip
    for kind, share in mix.items():
        key = f"tickets.category_mix.{kind}"
        params[f"share of {kind}"] = judged(known[key], share / sum(mix.values()))
    changed = next(iter(twin_desk.agents))
    for k, (name, pool) in enumerate(desk.agents.items()):
        own = planted_pools.found_pool(twin_desk, pool.skills)
        if own is None:
            continue
        changed = own if k == number % 2 else changed
        params[f"handle time, {name}"] = judged(
            known[f"agents.{own}.handle_time"], pool.handle_time.mean_value()
        )
        # Agents keep their names, which begin with that of their pool.
        mine = history.extra["spells"]["agent"].astype(str).str.startswith(f"{name} ").to_numpy()
        edges = np.array([-7200.0, log.horizon_s + 7200])
        heads = sessions(history.log.visits[mine]).on_shift().heads(edges)[0]
        planned = planted_pools.planned_hours(desk, name)
        params[f"hours on shift, {name}"] = plain(heads * np.diff(edges)[0] / 3600, planned)
    name = list(desk.agents)[number % 2]
    return {
        "shape": "four" if four else planted_pools.shape_of(number),
        "calls": len(log.visits),
        "seconds to calibrate": seconds,
        "pools": [sorted(one.skills) for one in twin_desk.agents.values()],
        "params": params,
        # Agents who are not told apart play the same to the last bit, and faster.
        "effects": beside(effects(desk.vary({f"agents.{one}.individuals": False
                                             for one in desk.agents}), _TRUTH, pool=name),
                          effects(twin_desk, _TWIN, pool=changed)),
        "says": says(twin_desk),
        "said": list(found.said),
    }  # fmt: skip


def says(desk):
    """Of each kind of what-if, whether the desk says that it follows from the data."""
    own = desk.evidence.model_dump()
    return {kind: own[kind].startswith(FOLLOWS) for kind, _ in CHANGES.values()}


def clock(number, folder):
    """A log of calls whose waits know the clock alone: the what-ifs must say so."""
    at, wait_s = planted.clock_only(number)
    luck = np.random.default_rng([19, number])
    started = at + wait_s
    ended = started + luck.exponential(240, len(at))
    order = np.argsort(started)
    names, free = np.empty(len(at), dtype=object), []
    for row in order:
        agent = next((k for k, until in enumerate(free) if until <= started[row]), len(free))
        free[agent : agent + 1] = [ended[row]]
        names[row] = f"A{agent}"
    frame = pd.DataFrame({
        "call": np.arange(len(at)),
        "arrived": planted.texts(pd.Series(at)),
        "outcome": "served",
        "answered": planted.texts(pd.Series(started)),
        "ended": planted.texts(pd.Series(ended)),
        "agent": names,
    })  # fmt: skip
    frame.to_csv(folder / "calls.csv", index=False)
    history = twin.read_history(folder / "calls.csv", zone="UTC")
    return said(twin.calibrate(history), history, folder)


def said(found, history, folder):
    """Kinds of what-ifs of which the calibrated desk says that they rest on an assumption."""
    desk = twin.load(write_calibrated(found, history, folder / "desk.toml"))
    own = desk.evidence.model_dump()
    return {"assumed": {kind: own[kind].startswith(ASSUMED) for kind, _ in CHANGES.values()}}


def form_of(number):
    return list(planted.FORMS.items())[number % len(planted.FORMS)]


def statuses(number, folder):
    """A desk of statuses, exported in turn as five tools write them."""
    desk = planted.status_desk(number)
    log = twin.simulate(desk, twin.draw(desk))
    name, write = form_of(number)
    history = twin.read_history(write(planted.changes_of(log), folder / "export"), zone="UTC")
    found = twin.calibrate(history)
    known = {one.key: one for one in found.estimates}
    growth = desk.arrivals.growth
    params = {"growth of load": judged(known["arrivals.growth"], growth)}
    if not growth:
        params["load"] = judged(known["arrivals.rate"], 3600 * desk.arrivals.rate)
    if name != "Zendesk":
        for status, one in desk.workflow.statuses.items():
            for other, step in one.next.items():
                key = f"workflow.statuses.{status}.next.{other}"
                if f"{key}.chance" in known and step.chance < 1:
                    params[f"chance {status}, {other}"] = judged(
                        known[f"{key}.chance"], step.chance
                    )
                if f"{key}.delay" in known:
                    params[f"delay {status}, {other}"] = judged(
                        known[f"{key}.delay"], one.delay.mean_value()
                    )
    return {"form": name, "params": params, **said(found, history, folder)}


def queue(number, folder):
    """A desk of agents whose export shows statuses alone: they are read off when tickets left."""
    desk = planted.queueing_desk(number)
    log = twin.simulate(desk, twin.draw(desk))
    name, write = form_of(number)
    history = twin.read_history(write(planted.changes_of(log), folder / "export"), zone="UTC")
    assumed = said(twin.calibrate(history), history, folder)["assumed"]
    return {"form": name, "says": {kind: not one for kind, one in assumed.items()}}


KINDS = {
    "calls": calls,
    "minutes": minutes,
    "pools": pools,
    "four": four,
    "clock": clock,
    "statuses": statuses,
    "queue": queue,
}


def summary(found):
    """Shares over desks, as lines."""
    rows = []
    for name, one in found.items():
        kind = name.split("-")[0]
        for key, value in one.get("params", {}).items():
            ok = value["near"] or bool(value["inside"])
            rows.append((f"{kind}: parameters", key, ok, value["inside"]))
        for key, value in one.get("effects", {}).items():
            rows.append((f"{kind}: effects", key, value["inside"], None))
        rows += [(f"{kind}: says that it follows", k, v, None)
                 for k, v in one.get("says", {}).items()]  # fmt: skip
        rows += [(f"{kind}: says that it is assumed", k, v, None)
                 for k, v in one.get("assumed", {}).items()]  # fmt: skip
    table = pd.DataFrame(rows, columns=["part", "key", "ok", "inside"])
    lines = []
    for part, group in table.groupby("part", sort=False):
        lines.append(f"{part}: {group['ok'].mean():.1%} of {len(group)}")
        sure = group["inside"].dropna()
        if len(sure):
            lines.append(f"  inside their 95 % intervals: {sure.mean():.1%} of {len(sure)}")
        for key, own in group.groupby("key", sort=False):
            lines.append(f"  {key}: {int(own['ok'].sum())} of {len(own)}")
    return lines


def main(folder, of, first):
    """Play what is not there yet; print and keep each."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for kind in of:
        for number in range(first, first + COUNTS[kind]):
            name = f"{kind}-{number}"
            path = folder / f"{name}.json"
            if not path.exists():
                began = time.process_time()
                with tempfile.TemporaryDirectory() as scratch:
                    one = KINDS[kind](number, Path(scratch))
                one["seconds"] = round(time.process_time() - began, 1)
                path.write_text(json.dumps(one), encoding="utf-8")
                print(name, json.dumps(one), flush=True)
            found[name] = json.loads(path.read_text(encoding="utf-8"))
    print(*summary(found), sep="\n", flush=True)
    return found


@pytest.mark.slow
def test_planted_desks(tmp_path):
    found = main(tmp_path, list(KINDS), 201)
    effects = [
        value["inside"] for one in found.values() for value in one.get("effects", {}).values()
    ]
    known = [
        value["near"] or bool(value["inside"])
        for one in found.values() for value in one.get("params", {}).values()
    ]  # fmt: skip
    assumed = [value for one in found.values() for value in one.get("assumed", {}).values()]
    assert np.mean(effects) >= 0.9
    assert np.mean(known) >= 0.9
    assert np.mean(assumed) >= 0.9


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--of", default=",".join(KINDS), help="kinds of desks")
    parser.add_argument("--first", type=int, default=201, help="number of the first desk")
    given = parser.parse_args()
    main(given.folder, given.of.split(","), given.first)
