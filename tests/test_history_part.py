"""A part of a history is what an export of only that part would have told."""

import numpy as np
import pandas as pd
import pytest
from exports import DAY, HOUR, at, write_csv

import twin
from twin.common.errors import ScenarioError
from twin.history.part import part_of


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    rng = np.random.default_rng(4)
    created = np.sort(rng.uniform(8 * HOUR, 18 * HOUR, 400) + DAY * rng.integers(0, 20, 400))
    # Long enough that some are under way at any midnight.
    wait, work = rng.exponential(2 * HOUR, 400), rng.exponential(8 * HOUR, 400)
    rows = [
        {"call": k, "arrived": at(c), "kind": "ab"[k % 2],
         "outcome": "abandoned" if k % 9 == 0 else "served",
         "answered": "" if k % 9 == 0 else at(c + w), "ended": at(c + w + (h if k % 9 else 0)),
         "agent": "" if k % 9 == 0 else f"Agent {k % 4}"}
        for k, (c, w, h) in enumerate(zip(created, wait, work, strict=True))
    ]  # fmt: skip
    return write_csv(tmp_path_factory.mktemp("calls") / "calls.csv", rows)


@pytest.fixture(scope="module")
def changes(tmp_path_factory):
    rng = np.random.default_rng(5)
    rows = []
    for case in range(300):
        moment = rng.uniform(0, 20 * DAY)
        for name in ("Open", "Waiting", "Open", "Resolved"):
            rows.append({"case": case, "activity": name, "time": at(moment), "resource": "Ann"})
            moment += rng.exponential(DAY)
    return write_csv(tmp_path_factory.mktemp("changes") / "events.csv", rows)


def by_key(history, frame):
    """Rows with the desk's own numbers in the place of those that an import gave."""
    keys = history.extra["keys"].set_index("ticket_id")["key"]
    found = frame.assign(key=keys.reindex(frame["ticket_id"]).astype(str).to_numpy())
    found = found.drop(columns=["ticket_id", "agent"], errors="ignore")
    found = found.astype({n: object for n in found if found[n].dtype == "category"})
    return found.sort_values([*found.columns[-1:], *found.columns[:2]], ignore_index=True)


@pytest.mark.parametrize("name", ["calls", "changes"])
@pytest.mark.parametrize("bounds", [
    {"until": "2026-03-12"}, {"until": "2026-03-14 11:30"}, {"since": "2026-03-09"},
    {"since": "2026-03-06 05:00", "until": "2026-03-19"},
], ids=str)  # fmt: skip
def test_it_is_what_an_import_of_it_gives(name, bounds, request):
    path = request.getfixturevalue(name)
    part = part_of(twin.read_history(path, zone="Europe/Rome"), **bounds)
    again = twin.read_history(path, zone="Europe/Rome", **bounds)
    assert part.desk.start == again.desk.start
    assert part.log.horizon_s == again.log.horizon_s
    assert part.gaps == again.gaps
    for table in ("tickets", "visits"):
        one, other = (by_key(h, getattr(h.log, table)) for h in (part, again))
        pd.testing.assert_frame_equal(one, other, check_dtype=False)
    assert (part.log.tickets["arrived_s"] < 0).any() == ("since" in bounds)


def test_no_later_change_of_a_status_is_known(changes):
    history = twin.read_history(changes, zone="UTC")
    part = part_of(history, until="2026-03-12")
    at_s = part.extra["events"]["time_s"]
    assert at_s.max() <= 10 * DAY < history.extra["events"]["time_s"].max()
    assert len(at_s) > 300
    # Nothing is asked: nothing is changed.
    assert part_of(history) is history


def test_times_that_hold_nothing_are_refused(calls):
    history = twin.read_history(calls, zone="UTC")
    with pytest.raises(ScenarioError, match="no ticket lies in that time; it goes from 2026-03-02"):
        part_of(history, until="2026-02-01")
    with pytest.raises(ScenarioError, match="no ticket lies in that time"):
        part_of(history, since="2027-01-01")
    with pytest.raises(ScenarioError, match=r"--until: .*soon"):
        part_of(history, until="soon")
