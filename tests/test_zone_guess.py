"""A guess of a desk's zone from its hours of work: told, with what it goes by, and never used."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from exports import write_csv

import twin
from twin.history.zone_guess import zone_guess


def moments(zone, days, seed=0, hours=(9, 17)):
    """Moments of work of a desk in a zone, Monday to Friday, in seconds since 1970."""
    rng = np.random.default_rng(seed)
    found = []
    for k in range(days):
        day = datetime(2026, 1, 5, tzinfo=ZoneInfo(zone)) + timedelta(days=k)
        if day.weekday() < 5:
            at = rng.uniform(*hours, 12)
            found += [(day + timedelta(hours=float(h))).timestamp() for h in at]
    return np.sort(found)


@pytest.mark.parametrize("zone", [
    "Europe/London", "Europe/Berlin", "Europe/Helsinki", "America/New_York", "America/Chicago",
    "America/Los_Angeles",
])  # fmt: skip
def test_a_year_of_office_hours_names_the_zone(zone):
    told = [zone_guess(moments(zone, 364, seed)) for seed in range(3)]
    assert all(said.endswith(f"perhaps --zone {zone}") for said in told), told


def test_without_a_change_of_clocks_only_the_distance_from_utc_is_told():
    said = zone_guess(moments("Asia/Singapore", 364))
    assert said.endswith("with office hours that is about UTC+8")
    # Too short to show a change of the clocks.
    said = zone_guess(moments("Europe/Berlin", 60))
    assert said.endswith("about UTC+1")
    # By the clock of the desk itself there is nothing to mend.
    assert zone_guess(moments("UTC", 364)).endswith("about UTC")


def test_a_desk_without_office_hours_is_not_guessed_at():
    assert zone_guess(moments("UTC", 100, hours=(0, 24))) == ""
    assert zone_guess(moments("UTC", 10)) == ""


def test_a_log_of_statuses_is_told_its_zone_and_nothing_is_changed(tmp_path):
    rows = []
    for case, at in enumerate(moments("America/New_York", 364)):
        rows += [
            {"case": case, "activity": name, "time": datetime.fromtimestamp(
                at + gap, ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%SZ")}
            for name, gap in (("Open", -40_000 * (case % 3)), ("Work", 0), ("Resolved", 600))
        ]  # fmt: skip
    path = write_csv(tmp_path / "log.csv", rows)
    history = twin.read_history(path)
    (said,) = [trap.said for trap in history.traps if trap.name == "zone"]
    assert "A guess, which changes nothing: most of the work lies around" in said
    assert "perhaps --zone America/New_York" in said
    assert history.desk.time_zone == "UTC"
    given = twin.read_history(path, zone="America/New_York")
    assert not any("guess" in trap.said for trap in given.traps)
