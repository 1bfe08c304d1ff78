"""Traps in exports: each of a small file that falls into it, and none of one that does not."""

import numpy as np
import pytest
from exports import DAY, HOUR, at, write_csv

import twin


def made(count=1200, days=60, work_s=4 * HOUR, seed=2, opening=True, shape=None):
    """Tickets of a steady desk, open ones and an opening backlog with them."""
    rng = np.random.default_rng(seed)
    before = 30 if opening else 0
    created = np.sort(rng.uniform(-before * DAY, days * DAY, count * (days + before) // days))
    spent = rng.exponential(work_s, len(created)) if shape is None else shape(rng, len(created))
    solved = created + spent
    keep = (solved > 0) | (created > 0)
    return [
        {"id": k, "created": c, "solved": s if s < days * DAY else None, "agent": f"Agent {k % 5}"}
        for k, (c, s) in enumerate(zip(created[keep], solved[keep], strict=True))
    ]


def read(tmp_path, rows, form="iso", start=True, **settings):
    lines = [
        {"id": r["id"], "created": at(r["created"], form), "solved": at(r["solved"], form),
         "agent": r["agent"], **{k: r[k] for k in ("status", "tags", "closed") if k in r}}
        for r in rows
    ]  # fmt: skip
    settings.setdefault("zone", "UTC")
    if start:
        settings.setdefault("since", "2026-03-02")
    return twin.read_history(write_csv(tmp_path / "t.csv", lines), **settings)


def names(history):
    return {trap.name for trap in history.traps}


def said(history, name):
    return next(trap.said for trap in history.traps if trap.name == name)


def test_a_sound_export_falls_into_no_trap(tmp_path):
    assert names(read(tmp_path, made())) == set()


def test_times_without_a_zone_and_work_at_night(tmp_path):
    assert "taken to be UTC" in said(read(tmp_path, made(), "plain", zone=None), "zone")
    assert "not known" in said(read(tmp_path, made(), zone=None), "zone")
    rng = np.random.default_rng(1)
    # A desk in Singapore that works from 9 to 17, by the clock of Greenwich.
    starts = [DAY * d + HOUR * (1 + h) for d in range(30) for h in rng.uniform(0, 8, 10)]
    rows = [{"id": k, "created": s, "solved": s + 600, "agent": "a"} for k, s in enumerate(starts)]
    assert "between midnight and 6:00" in said(read(tmp_path, rows, zone="UTC"), "zone")
    assert "zone" not in names(read(tmp_path, rows, zone="Asia/Singapore", start=False))


def test_times_of_whole_minutes_and_of_days(tmp_path):
    history = read(tmp_path, made(), "minutes", days_first=True)
    assert "whole minutes" in said(history, "minutes only")
    rows = [r | {"created": r["created"] // DAY * DAY} for r in made()]
    assert "without hours" in said(read(tmp_path, rows), "days only")


def test_programs_among_the_agents(tmp_path):
    rows = made()
    for k, row in enumerate(rows):
        row["agent"] = "Answer Bot" if k % 3 == 0 else "Ann"
    history = read(tmp_path, rows)
    assert "programs by their names (bot1" in said(history, "bots")
    assert set(history.log.tickets["resolved_by"].dropna()) == {"agent", "automatic"}


def test_an_agent_who_never_sleeps_and_closing_by_the_clock(tmp_path):
    rng = np.random.default_rng(1)
    lines = []
    for k in range(400):
        day, hour = DAY * (k // 20), HOUR * (9 + 8 * rng.random())
        lines.append((k, "Open", day + hour, ""))
        lines.append((k, "Assigned", day + 24 * HOUR * rng.random(), "svc-route"))
        lines.append((k, "Resolved", day + DAY + hour, "Ann"))
    rows = [{"case": k, "activity": a, "time": at(t), "resource": w} for k, a, t, w in lines]
    history = twin.read_history(write_csv(tmp_path / "e.csv", rows), zone="UTC")
    assert "at all hours of the day" in said(history, "bots")
    rows = [r | {"closed": at(r["solved"] and r["solved"] + 5 * DAY)} for r in made()]
    assert "closed 5 d after they were solved" in said(read(tmp_path, rows), "automation")


def test_merged_and_spam_tickets_are_no_work(tmp_path):
    rows = made()
    for k, row in enumerate(rows):
        row["tags"] = {0: "vip closed_by_merge", 1: "Spam"}.get(k % 10, "vip")
        row["status"] = "Deleted" if k % 10 == 2 else "Open"
    history = read(tmp_path, rows)
    assert {"merged", "spam", "left out"} <= names(history)
    assert len(history.log.tickets) == pytest.approx(0.7 * len(rows), rel=0.02)


def test_final_values_in_every_row(tmp_path):
    lines = []
    for r in made(200):
        end = r["solved"] or r["created"] + DAY
        for activity, moment in (("Open", r["created"]), ("Work in progress", r["created"] + 60),
                                 ("Resolved", end)):  # fmt: skip
            lines.append({"case": r["id"], "activity": activity, "time": at(moment),
                          "resolved at": at(end)})  # fmt: skip
    history = twin.read_history(write_csv(tmp_path / "e.csv", lines), zone="UTC")
    assert any('"resolved at" holds the final moment in every row' in n for n in history.notes)


def test_a_filter_by_duration(tmp_path):
    def shape(rng, count):
        return rng.lognormal(np.log(DAY), 1.5, count)

    rows = made(shape=shape)
    assert "filtered by duration" not in names(read(tmp_path, rows))
    kept = [r for r in rows if r["solved"] and r["solved"] - r["created"] < 10 * DAY]
    assert "No ticket took longer than" in said(read(tmp_path, kept), "filtered by duration")


def test_a_filter_by_the_day_of_closing(tmp_path):
    rows = [r for r in made(work_s=3 * DAY) if r["solved"] and r["solved"] > 20 * DAY]
    history = read(tmp_path, rows, start=False)
    assert "what was closed from then on" in said(history, "filtered by closing date")


def test_a_ramp_of_times_and_of_arrivals(tmp_path):
    rows = [r | {"solved": r["created"] + 3 * DAY * 0.6 ** (r["created"] // (7 * DAY))}
            for r in made(opening=False)]  # fmt: skip
    assert "falls week by week" in said(read(tmp_path, rows), "ramp")
    rng = np.random.default_rng(1)
    rows = [r for r in made() if rng.random() < r["created"] / (20 * DAY)]
    assert "Fewer tickets came in the first weeks" in said(read(tmp_path, rows), "ramp")


def test_days_without_data_are_missing_and_not_zero(tmp_path):
    rows = [r for r in made() if not 20 <= r["created"] / DAY < 22]
    history = read(tmp_path, rows)
    assert "2026-03-22, 2026-03-23" in said(history, "gaps")
    assert [day.isoformat() for day in history.gaps] == ["2026-03-22", "2026-03-23"]
    # The two weeks with the gap (Sunday, Monday) are left out: the load is that of whole weeks.
    weeks = history.kpis.query("kpi == 'arrivals'")
    assert history.periods == "weeks"
    assert len(weeks) == 6
    assert weeks["value"].min() > 0.7 * weeks["value"].max()
    # Weekends on which the desk is closed, and quiet days of a small desk, are none.
    office = [r for r in made() if (r["created"] // DAY) % 7 < 5]
    assert read(tmp_path, office).gaps == ()
    assert read(tmp_path, made(count=180)).gaps == ()


def test_open_tickets_are_missing(tmp_path):
    rows = [r for r in made(work_s=3 * DAY) if r["solved"]]
    assert "closed tickets only" in said(read(tmp_path, rows), "open tickets missing")
    assert "open tickets missing" not in names(read(tmp_path, made(work_s=3 * DAY)))


def test_the_backlog_at_the_start_is_missing(tmp_path):
    rows = made(work_s=3 * DAY, opening=False)
    history = read(tmp_path, rows)
    told = said(history, "backlog at the start")
    assert "begins with 0 open tickets" in told
    since = told.partition("--since ")[2][:10]
    later = read(tmp_path, rows, since=since)
    assert "backlog at the start" not in names(later)
    assert (later.log.tickets["arrived_s"] < 0).sum() > 10


def test_tickets_that_go_on_after_the_last_arrival_do_not_thin_out_the_load(tmp_path):
    rows = [r | {"solved": r["created"] + 40 * DAY} for r in made(opening=False)]
    history = read(tmp_path, rows)
    assert history.log.horizon_s == pytest.approx(60 * DAY, abs=2)
    assert any("what came later is left open" in note for note in history.notes)


def test_a_mistyped_year(tmp_path):
    rows = made(count=300)
    late = read(tmp_path, [*rows, {**rows[-1], "id": "x", "created": 9000 * DAY, "solved": None}])
    assert "1 of the 288 tickets came" in said(late, "stray dates")
    assert "--until 2026-05-01 leaves" in said(late, "stray dates")
    early = read(tmp_path, [*rows, {**rows[-1], "id": "x", "created": -3000 * DAY}], start=False)
    assert "before all others" in said(early, "stray dates")
    # As it says, it is left out.
    mended = read(tmp_path, [*rows, {**rows[-1], "id": "x", "created": 9000 * DAY}],
                  until="2026-05-01")  # fmt: skip
    assert "stray dates" not in names(mended)
