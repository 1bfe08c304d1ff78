"""Work of agents on tickets: drawn from the tickets' luck."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime

from twin.common.kept import MadeOnce
from twin.demand.luck import Stream, Use
from twin.demand.tickets import Demand
from twin.records.tables import FOLLOW_UP, HANDLE, REVIEW, TRIAGE, WRAP_UP
from twin.scenario.clock import WEEK_S, by_hour
from twin.scenario.distributions import Floats
from twin.scenario.model import Pool
from twin.scenario.sections.people import REVIEW_SHARE, TRIAGE_SHARE

_STREAM = {
    HANDLE: Stream.HANDLE,
    TRIAGE: Stream.TRIAGE,
    REVIEW: Stream.REVIEW,
    FOLLOW_UP: Stream.FOLLOW_UP,
}
# Activities that are wrapped up: those of a kind have luck of their own.
WRAPPED_UP = {HANDLE: Stream.WRAP_UP, FOLLOW_UP: Stream.WRAP_UP_LATER}
_SHARE = {TRIAGE: TRIAGE_SHARE, REVIEW: REVIEW_SHARE}


# Keys of a pool that say who works and when, not how long work takes.
_WHO = {"heads", "shifts", "roster", "extra_heads", "shrinkage", "cost"}
# Pools as texts without them: of a pool, each replication asks several times.
_TEXTS = MadeOnce[str](most=1024)


def drawn(pool: Pool, activity: int, returns: int, demand: Demand, start: datetime) -> memoryview:
    """Work of each ticket with a pool, shape (n,), from the ticket's luck; seconds."""
    return _made(pool, activity, _STREAM[activity], returns, demand, start)


def drawn_after(
    pool: Pool, activity: int, returns: int, demand: Demand, start: datetime
) -> memoryview:
    """Wrap-up of each ticket after an activity; as `drawn`."""
    return _made(pool, WRAP_UP, WRAPPED_UP[activity], returns, demand, start)


def _made(
    pool: Pool, activity: int, stream: Stream, returns: int, demand: Demand, start: datetime
) -> memoryview:
    def make() -> Floats:
        return work_times(pool, activity, demand.uniform(stream, Use(returns)), demand, start)

    # Of desks that share demand, pools that differ in who works have the same work.
    return demand.column(
        lambda: demand.once(lambda: _key(pool, activity, stream, returns, start), make)
    )


def _key(pool: Pool, *of: Hashable) -> Hashable:
    return "work", _TEXTS.get(pool, lambda: pool.model_dump_json(exclude=_WHO)), *of


def work_times(
    pool: Pool, activity: int, u: Floats, demand: Demand, start: datetime | None = None
) -> Floats:
    """Work of each ticket with a pool, shape (n,); seconds.

    Parameters
    ----------
    pool : Pool
    activity : int
        HANDLE, TRIAGE, REVIEW, FOLLOW_UP or WRAP_UP.
    u : array of float, shape (n,)
        The tickets' luck.
    demand : Demand
        For the true categories, channels and moments of arrival.
    start : datetime, optional
        Start of the run, as `Scenario.midnight`: needed where times differ by local hour.
    """
    own = {
        TRIAGE: pool.triage_time,
        REVIEW: pool.review_time,
        FOLLOW_UP: pool.follow_up_time,
        WRAP_UP: pool.wrap_up,
    }.get(activity)
    if own is not None:
        return own.quantile(u)
    times = pool.handle_time.quantile(u)
    for column, names, given in (
        (demand.category, demand.categories, pool.handle_times),
        (demand.channel, demand.channels, pool.handle_times_by_channel),
    ):
        for name, distribution in given.items():
            here = column == names.index(name)
            times[here] = distribution.quantile(u[here])
    if pool.handle_scale != 1.0 or pool.handle_growth:
        times *= pool.handle_scale * (1 + pool.handle_growth) ** (demand.arrived_s / WEEK_S)
    if pool.handle_hours:
        assert start is not None
        times *= by_hour(pool.handle_hours, demand.arrived_s, start)
    return times * _SHARE.get(activity, 1.0)
