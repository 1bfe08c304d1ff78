"""One desk on both engines: what differs between their tables, to the byte."""

from importlib.util import find_spec

import pandas as pd
from hypothesis import strategies as st
from strategies import scenarios, times, workflows

from twin.desk.compiled.coverage import OUTSIDE, why_not
from twin.desk.simulation import simulate
from twin.records.columns import TABLES
from twin.scenario.model import from_data

# The tables of a log; the others are made of them.
PLAYED = ("tickets", "timeline", "visits", "calls", "ratings", "learning", "answers", "staffing")
COMPILED = find_spec("numba") is not None
assert set(PLAYED) <= {*TABLES}


def plays_compiled(scenario):
    """True if the compiled engine is there and plays a scenario."""
    return COMPILED and why_not(scenario) is None


def odd(log, other):
    """Columns of two logs that differ, as table: column."""
    found = []
    for name in PLAYED:
        one, two = getattr(log, name), getattr(other, name)
        if list(one) != list(two) or len(one) != len(two):
            found.append(f"{name}: {len(one)} and {len(two)} rows")
            continue
        found += [f"{name}: {column}" for column in one if not _same(one[column], two[column])]
    if log.notes != other.notes or log.horizon_s != other.horizon_s or log.texts != other.texts:
        found.append("notes, horizon or texts")
    return found


def _same(one: pd.Series, two: pd.Series) -> bool:
    if one.dtype != two.dtype:
        return False
    if isinstance(one.dtype, pd.CategoricalDtype):
        return one.cat.codes.to_numpy().tobytes() == two.cat.codes.to_numpy().tobytes()
    if one.dtype.kind in "ifb":
        return one.to_numpy().tobytes() == two.to_numpy().tobytes()
    return one.equals(two)


def odd_between_engines(scenario, demand):
    """Columns that differ between the engines."""
    compiled = simulate(scenario, demand, engine="compiled")
    return odd(simulate(scenario, demand), compiled)


def _without(data, key):
    """Drop a dotted key, `agents.*` being all pools."""
    head, _, rest = key.partition(".")
    if not rest:
        data.pop(head, None)
    elif head == "agents":
        for pool in data.get("agents", {}).values():
            _without(pool, rest.removeprefix("*."))
    elif head in data:
        _without(data[head], rest)


# Times that make moments meet: arrivals each 5 min, all else so many of these.
_STEP = {"handle_time": 10, "wrap_up": 5, "patience": 10, "reopen_delay": 10, "overflow_after": 5,
         "wait_bonus": 5, "triage_time": 5, "review_time": 5, "follow_up_time": 5, "delay": 10,
         "close_after": 10}  # fmt: skip


@st.composite
def covered(draw):
    """A scenario that the compiled engine covers; every second one of tied times."""
    desk = draw(scenarios())
    data = desk.as_data()
    data["assistant"].pop("learning", None)
    for key in OUTSIDE:
        _without(data, key)
    apart = from_data(data)
    for name, pool in data["agents"].items():
        if apart.told_apart(apart.agents[name]):
            pool.pop("away", None)
    if draw(st.booleans()):
        data.setdefault("routing", {})["pool_choice"] = "random"
    if draw(st.booleans()):
        tied = {key: f"{k * draw(st.sampled_from([1, 2]))}min" for key, k in _STEP.items()}
        waits = [*data.get("touches", {}).values(), data["customers"].get("retrial")]
        inner = [section for section in waits if isinstance(section, dict)]
        for section in (*data["agents"].values(), data["customers"], data["routing"], *inner):
            section.pop("handle_hours", None)
            section.pop("handle_growth", None)
            section |= {key: tied[key] for key in _STEP if key in section}
        if data["arrivals"]["kind"] != "trace":
            data["arrivals"] = {"kind": "constant", "rate": "12/h"}
            data["horizon"] = "10h"
    scenario = from_data(data)
    assert why_not(scenario) is None
    return scenario


@st.composite
def with_statuses(draw):
    """A scenario that the compiled engine covers, of a desk that is known by its own statuses."""
    data = draw(covered()).as_data()
    for key in ("touches", "provider", "models"):
        data.pop(key, None)
    data["customers"].pop("retrial", None)
    data["assistant"] = {"role": "off"}
    data["agents"] = data.get("agents") or {"all": {"heads": 1, "handle_time": "5min"}}
    workflow = draw(workflows())
    statuses = list(workflow["statuses"].values())
    for status in statuses:
        if draw(st.booleans()):
            status["responds"] = draw(st.booleans())
        if "delay" in status and draw(st.booleans()):
            status["delay"] = draw(st.sampled_from(["0s", "5min", "10min"]))
    if draw(st.booleans()):
        workflow["ages"] = ["1h", "5h"]
        following = [step for status in statuses for step in status.get("next", {}).values()]
        for step in following:
            if isinstance(step, dict) and draw(st.booleans()):
                step.pop("delay", None)
                step["delay_by_age"] = [draw(times(1, 9000)) for _ in range(3)]
    if draw(st.booleans()):
        workflow["most"] = draw(st.integers(1, 8))
    return from_data(data | {"workflow": workflow})
