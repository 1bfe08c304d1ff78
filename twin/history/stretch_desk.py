"""A desk of which some minutes or hours are known, such as a live desk that began today.

Calibration to days learns the week: when people come, and who is there when. A short stretch has no
week. So arrivals and heads are taken to be steady in it, and all else is found as it is for days:
mix, work, patience, the order of priorities, and how far agents are there, fitted to the waits by
playing the stretch's own arrivals. Blocks of the stretch stand for days wherever an interval needs
them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from twin.common.errors import Fault, ScenarioError
from twin.common.formulas import harmless
from twin.common.text import duration
from twin.history.calibrated import Calibration, Data, Factors
from twin.history.call_desk import play_waits, waits_of
from twin.history.call_pools import POOL, Player, fit_parts, one_pool, rosters
from twin.history.call_work import Way
from twin.history.desk_history import DeskHistory
from twin.history.fit.capacity import AT_ONCE_MORE, plays_of_stretch
from twin.history.fit.estimate import Estimate, jackknife
from twin.history.fit.mix import fit_mix
from twin.history.fit.rosters import Sessions
from twin.history.fit.wait_load import WaitTest
from twin.history.fit.waits import Waits
from twin.history.found_sections import customers_section, trace
from twin.history.kept_plays import KeptPlays
from twin.history.kinds import with_kinds
from twin.history.priorities import head_start, priorities_of, routing_section, said_of
from twin.history.seen_assistant import behind_assistant
from twin.history.told import Told
from twin.history.versions import REPLICATIONS, VERSIONS, ByDay, agents_factors, mix_factors
from twin.history.what_ifs import evidence_of, said_of_fit
from twin.history.whole_days import Days
from twin.records.tables import RunLog
from twin.scenario.model import PRIORITIES

Floats = npt.NDArray[np.float64]

# In a longer stretch arrivals and heads are not taken to be steady (assumed).
LONGEST_S = 4 * 3600.0
# A shorter one, or one of fewer tickets, says too little of a queue (assumed).
SHORTEST_S, FEWEST_TICKETS = 300.0, 100
# Blocks that intervals rest on, and the shortest.
_BLOCKS, _SHORTEST_BLOCK_S = 24, 30.0
# Heads are read off minute by minute.
_SLOT_S = 60.0
_SEED = 15
# Rates at which a free agent may leave, that the search looks at first.
_TRIED = 6
# Of a run of the desk: an hour to fill up, and eight to measure.
_WARM_UP, _HORIZON = "1h", "9h"
_STEADY = "steady in the stretch; nothing is known of other hours and days"


def is_stretch(history: DeskHistory) -> bool:
    """True if a history is of some minutes or hours."""
    began, ended = edges_of(history.log)
    return ended - began <= LONGEST_S


def edges_of(log: RunLog) -> tuple[float, float]:
    """First arrival and end of a log; seconds since its start."""
    at = log.tickets["arrived_s"].to_numpy(dtype=np.float64)
    return float(np.nanmin(at)) if len(at) else 0.0, log.horizon_s


def calibrate_stretch(
    history: DeskHistory,
    progress: Callable[[int, int], None] | None = None,
    kept: Path | None = None,
    workers: int = 1,
    seed: int | None = None,
) -> Calibration:
    """Calibrate a desk to a stretch of minutes or hours; see the module.

    Parameters
    ----------
    history : DeskHistory
    progress, kept, workers, seed
        As of `twin.history.call_desk.calibrate_calls`.

    Raises
    ------
    ScenarioError
        If the stretch is too short, or says too little.
    """
    history, of_kinds = with_kinds(history)
    began, ended = edges_of(history.log)
    _refuse(history, began, ended)
    history, assistant = behind_assistant(history)
    log, desk, told = history.log, history.desk, Told.of(history.log)
    if not log.visits["agent"].notna().any():
        raise ScenarioError("the history", [Fault("agent", "does not tell which agent worked")])
    blocks = _blocks(began, ended)
    estimates: list[Estimate] = []
    per_s, rate = _rate(log, blocks)
    estimates.append(rate)
    tickets = _tickets(log, blocks, estimates)
    way = Way.of(one_pool(log), log, blocks, told)
    # Blocks of the stretch are what days are elsewhere.
    estimates += [
        replace(one, method=one.method.replace(" days, cv", " blocks, cv")) for one in way.estimates
    ]
    order = head_start(log, blocks)
    order = None if order is None else replace(order, since=None)
    if order is not None:
        estimates.append(order.estimate())
    base: Data = {} if seed is None else {"seed": seed}
    base |= {
        "time_zone": desk.time_zone,
        "start": desk.start.isoformat(),
        "customers": customers_section(log, estimates, told),
        "routing": routing_section(order),
    }
    as_it_was = (
        base
        | way.sections(base)
        | {
            "name": "as-it-was",
            "question": "Does the twin wait as the desk did?",
            "horizon": f"{ended:.0f}s",
            "arrivals": {"kind": "trace", "trace": "arrivals.csv"},
        }
    )
    files = {"arrivals.csv": trace(log, told)} | way.files
    first, last = np.floor(began / _SLOT_S) * _SLOT_S, np.ceil(ended / _SLOT_S) * _SLOT_S
    edges = np.arange(first, last + 1, _SLOT_S)
    seen = _steady(waits_of(log, desk))
    (part,) = way.split.parts
    away = part.seen_away(log, told)
    heads = int(np.round(np.median(part.worked.on_shift().heads(edges[1:-1]))))
    on = np.arange(heads)
    steady = replace(part, worked=Sessions(on, np.full(heads, first), np.full(heads, last)))

    def play(tables: Path, data: Data, replication: int) -> Waits:
        return _steady(play_waits(tables, data, replication, told))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, frame in files.items():
            harmless(frame).to_csv(folder / file, index=False)
        idle = _idle(away.at_once_s)
        plays = KeptPlays(play, kept, progress, plays_of_stretch(idle), workers)
        player = Player(folder, as_it_was, desk, edges, (steady,), plays.each)
        fits = fit_parts(player, seen, {POOL: away}, idle)
    fit = fits[POOL]
    there = fit.availability if fit.helps else None
    files["roster.csv"] = rosters(desk, edges, (steady,), {POOL: there})
    pool = {key: value for key, value in way.pools[POOL].items() if key != "roster"}
    if there is not None and not there.always:
        estimates += there.estimates(f"agents.{POOL}.away", len(seen.wait_s))
        pool["away"] = there.away()
        as_it_was["agents"][POOL] = as_it_was["agents"][POOL] | {"away": there.away()}
    days = "Mon-Sun"
    pool["shifts"] = [{"days": days, "start": "00:00", "end": "12:00", "heads": heads},
                      {"days": days, "start": "12:00", "end": "00:00", "heads": heads}]  # fmt: skip
    estimates += [
        Estimate(f"agents.{POOL}.shifts[{k}]", float(heads), n=int(part.visits["agent"].nunique()),
                 method=f"agents at work in the middle minute; {_STEADY}") for k in range(2)
    ]  # fmt: skip
    before: Data = {} if assistant is None else assistant.sections(base["customers"])
    if assistant is not None:
        estimates += assistant.estimates()
        # Whom it answered never came to agents.
        per_s *= assistant.tickets / (assistant.tickets - assistant.answered + assistant.back)
    test = WaitTest(0.0, 0.0, len(seen.wait_s), 0, float((seen.wait_s > 1.0).mean()))
    forecast = base | before | {
        "question": "How does this desk go on as it is?",
        "horizon": _HORIZON,
        "warm_up": _WARM_UP,
        "replications": 10,
        "arrivals": {"rate": f"{per_s * 3600:.6g}/h"},
        "tickets": tickets,
        "agents": {POOL: pool},
        "evidence": evidence_of({POOL: (test, away, fit)}),
    }  # fmt: skip
    since = (desk.midnight + timedelta(seconds=began)).strftime("%Y-%m-%d %H:%M")
    said = [
        f"Rests on {duration(round(ended - began))} from {since} on. Arrivals and heads are "
        f"{_STEADY}.", *said_of_fit(fit, away), told.said, of_kinds, said_of(order, blocks),
        "" if assistant is None else assistant.said,
    ]  # fmt: skip
    plain = Calibration(
        forecast, as_it_was, files, tuple(estimates), (desk.start,),
        tuple(line for line in said if line), fit, fits,
    )  # fmt: skip
    return _with_versions(plain, history, blocks, workers)


def _refuse(history: DeskHistory, began: float, ended: float) -> None:
    reason, count = "", int((history.log.tickets["arrived_s"] >= 0).sum())
    if ended - began < SHORTEST_S:
        reason = f"is of {duration(round(ended - began))}; at least {duration(SHORTEST_S)}"
    elif count < FEWEST_TICKETS:
        reason = f"holds {count} tickets; at least {FEWEST_TICKETS}"
    if reason:
        where = "the history" if history.path is None else str(history.path)
        raise ScenarioError(where, [Fault("", f"{reason} are needed")])


def _blocks(began: float, ended: float) -> Days:
    """Blocks of a stretch in the place of days."""
    number = int(np.clip((ended - began) // _SHORTEST_BLOCK_S, 2, _BLOCKS))
    starts = np.linspace(began, ended, number + 1)
    return Days((), starts, np.ones(number, dtype=np.bool_))


def _block(blocks: Days, at_s: Floats) -> npt.NDArray[np.int64]:
    found = np.searchsorted(blocks.starts, at_s, side="right") - 1
    return np.clip(found, 0, len(blocks.known) - 1).astype(np.int64)


def _rate(log: RunLog, blocks: Days) -> tuple[float, Estimate]:
    """Arrivals a second, and their estimate an hour."""
    at = log.tickets["arrived_s"].to_numpy(dtype=np.float64)
    counts = np.bincount(_block(blocks, at), minlength=len(blocks.known)).astype(np.float64)
    length_s = float(blocks.starts[1] - blocks.starts[0])
    low, high = jackknife(
        lambda kept: np.array([counts[kept].mean() / length_s * 3600]), len(counts)
    )
    per_s = float(counts.mean()) / length_s
    method = f"counted in {len(counts)} blocks, those that came to agents; {_STEADY}"
    sure = float(low[0]), float(high[0])
    return per_s, Estimate("arrivals.rate", per_s * 3600, "/h", *sure, len(at), method)


def _tickets(log: RunLog, blocks: Days, estimates: list[Estimate]) -> Data:
    """The section [tickets]: the mix of categories and priorities, the same at all times."""
    tickets = log.tickets
    block = _block(blocks, tickets["arrived_s"].to_numpy(dtype=np.float64))
    section: Data = {}
    columns = {"category_mix": tickets["category_true"], "priority_mix": priorities_of(tickets)}
    for key, column in columns.items():
        if column is None or column.isna().any():
            continue
        known = set(column.astype(str))
        names = tuple(n for n in PRIORITIES if n in known) if key == "priority_mix" else (
            tuple(sorted(known))
        )  # fmt: skip
        places = {name: k for k, name in enumerate(names)}
        code = np.array([places[name] for name in column.astype(str)], dtype=np.int64)
        hour = np.zeros(len(code), dtype=np.int64)
        mix = fit_mix(code, hour, block, names, f"tickets.{key}")
        estimates += mix.estimates
        section[key] = {
            name: round(float(share), 6) for name, share in zip(names, mix.shares, strict=True)
        }
    return section


def _steady(waits: Waits) -> Waits:
    """Waits as if all were of one hour of one day: a stretch says nothing of hours."""
    nothing = np.zeros(len(waits.wait_s), dtype=np.int64)
    return replace(waits, hour=nothing, day=nothing)


def _idle(quick_s: float) -> list[float]:
    """Rates an hour at which a free agent may leave: once in hours, or as good as at once."""
    return [float(rate) for rate in np.geomspace(1.0, 3600 / quick_s * AT_ONCE_MORE, _TRIED)]


def _with_versions(
    found: Calibration, history: DeskHistory, blocks: Days, workers: int
) -> Calibration:
    """A calibration with versions of its numbers, from blocks drawn again."""
    seed = found.data.get("seed", _SEED)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(8,)))
    number = len(blocks.known)
    drawn = [np.sort(rng.choice(number, number - 1)) for _ in range(VERSIONS)]
    by_block = ByDay(history, blocks, drawn)
    at = history.log.tickets["arrived_s"].to_numpy(dtype=np.float64)
    factors = [
        Factors(("arrivals", "rate"), by_block.factor(by_block.sums(at), np.ones(number))),
        *mix_factors(found.data, by_block),
    ]
    numbers, there = agents_factors(found, blocks, by_block, workers)
    factors += numbers
    for pool, own in there.items():
        key = ("agents", pool, "shifts", "*", "heads")
        factors.append(Factors(key, np.repeat(own[:, None], 2, axis=1)))
    said = (
        f"What the stretch leaves open is in {VERSIONS} versions of these numbers, from "
        f"{number} blocks of it drawn again. Two replications in a row play one of them."
    )
    data = found.data | {"replications": REPLICATIONS}
    return replace(found, data=data, versions=tuple(factors), said=(*found.said, said))
