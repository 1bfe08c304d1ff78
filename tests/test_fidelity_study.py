"""Error rates of the verdicts and the alarm of a fidelity report, on planted desks.

The desk is known, so it is known which twin is right. `python tests/test_fidelity_study.py N`
prints the rates of N desks each; they are quoted in `tests/benchmarks/README.md`.
"""

import sys
from datetime import date

import pandas as pd
import pytest

import twin
from twin.history.fidelity import inputs, lines, rungs, verdicts
from twin.history.fidelity.measures import MEASURES, alike
from twin.history.fidelity.period import period, pooled

SHIFT = {"days": "Mon-Sat", "start": "08:00", "end": "16:30", "heads": 3}
EXPONENTIAL = {"distribution": "exponential"}
DESK = {
    "name": "calls",
    "horizon": "28d",
    "arrivals": {
        "kind": "hourly",
        "rate": "7.2/h",
        "week": {"hours": [0] * 8 + [1] * 8 + [0] * 8, "days": [1, 1, 1, 1, 1, 0.6, 0]},
        "busyness": {"cv": 0.1},
    },
    "tickets": {"category_mix": {"billing": 2, "access": 1}},
    "customers": {"patience": EXPONENTIAL | {"mean": "6min"}},
    "agents": {"front": {"shifts": [SHIFT], "handle_time": EXPONENTIAL | {"mean": "5min"}}},
}
# Twins: the truth; work of 20 % less; work of 20 % more and one agent more, at about equal waits.
TWINS = {
    "right": {},
    "less work": {"agents.front.handle_scale": 0.8},
    "cancelling": {"agents.front.handle_scale": 1.2, "agents.front.extra_heads": 1,
                   "customers.patience": EXPONENTIAL | {"mean": "8min"}},
}  # fmt: skip
FIRST = date(2026, 1, 5).toordinal()
TRAINED, TESTED = range(FIRST, FIRST + 14), range(FIRST + 14, FIRST + 28)


def scored(changes, number, runs=5, replay=False):
    """Verdict by measure, whether an input is off, and whether the alarm rings."""
    desk = twin.from_data(DESK)
    real = desk.vary({"seed": 1000 + number}, name="real")
    whole = period(twin.simulate(real, twin.draw(real)), real, [*TRAINED, *TESTED])
    test, hours = whole.on(TESTED), alike(whole)
    plan = rungs.at(desk.vary({"seed": 500_000 + number, **changes}, name="twin"), TESTED, "F")
    twins = [period(twin.simulate(plan, twin.draw(plan, k)), plan, TESTED) for k in range(runs)]
    apart = lines.random_halves(whole, hours)
    limit = verdicts.limits(apart, whole.busy_dates, len(test.busy_dates))
    old = lines.replay(whole.on(TRAINED), test)
    table = verdicts.judged(test, twins, hours, limit, old if replay else None)
    found = table.set_index("measure")["verdict"]
    given = inputs.inputs(test, pooled(twins), hours, old, whole)
    fits = found["wait"] == verdicts.WITHIN
    return {
        **{name: found[name] == verdicts.WITHIN for name in MEASURES},
        "all": bool(found.isin([verdicts.WITHIN, verdicts.UNKNOWN]).all()),
        "better": found["wait"] == verdicts.BETTER,
        "worse": found["wait"] == verdicts.WORSE,
        "off": bool(given["off"].any()),
        "alarm": bool(inputs.cancelling(given, fits)),
        "fits": bool(fits),
        "drift": bool(given["drift"].any()),
    }


def study(changes, number, **more):
    return pd.DataFrame([scored(changes, k, **more) for k in range(number)]).mean()


def test_two_desks():
    """The right twin keeps all limits and is silent on one of two desks at least."""
    right = study({}, 2)
    assert right["all"] >= 0.5
    assert right["alarm"] <= 0.5
    wrong = scored(TWINS["less work"], 0)
    assert not wrong["all"]
    assert wrong["off"]


@pytest.mark.slow
def test_a_right_twin_is_called_within_the_floor_as_often_as_said():
    rates = study({}, 120)
    # 95 of 100, less 2.5 standard errors of 120 desks.
    assert rates["all"] >= 0.95 - 2.5 * (0.95 * 0.05 / 120) ** 0.5
    # All inputs together are off in 5 of 100; where waits fit, too, that is a false alarm.
    assert rates["alarm"] <= 0.05 + 2.5 * (0.95 * 0.05 / 120) ** 0.5
    assert rates["drift"] <= 0.05 + 2.5 * (0.95 * 0.05 / 120) ** 0.5


@pytest.mark.slow
def test_a_wrong_twin_is_not():
    rates = study(TWINS["less work"], 40, replay=True)
    assert rates["all"] <= 0.05
    assert rates["off"] >= 0.95
    assert rates["better"] <= 0.05


@pytest.mark.slow
def test_the_alarm_rings_where_errors_cancel():
    rates = study(TWINS["cancelling"], 40)
    assert rates["alarm"] >= 0.9 * rates["wait"]
    assert rates["off"] >= 0.9


if __name__ == "__main__":
    for name, changes in TWINS.items():
        rates = study(changes, int(sys.argv[1]), replay=name == "less work")
        print(name, rates.round(3).to_dict(), flush=True)
