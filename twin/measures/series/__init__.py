"""Frames for figures and for questions of one's own, computed from the tables of runs.

Every function takes tables as `Results.table` gives them (one scenario, one or many replications)
and gives a tidy frame. Where a figure leaves the warm-up out, its series does, by the rules of
`twin.measures.figures`, so that figures and key figures agree.

A *band* (columns low and high) is the middle 80 % of the replications, interval by interval: how
much one week differs from another. It is missing with fewer than three. An *interval* is the 95 %
confidence interval of `twin.stats.intervals`.

The examples of this package share a small desk, the results of two runs, and the log of one:

>>> import twin
>>> from twin import series
>>> desk = twin.from_data({
...     "name": "small", "horizon": "1d", "warm_up": "4h", "arrivals": {"rate": "12/h"},
...     "assistant": {"role": "full", "backend": "profile"},
...     "agents": {"all": {"heads": 1, "handle_time": "8min", "cost": 20}},
...     "targets": {"first_response": {"urgent": "15min", "normal": "4h"}},
... })
>>> busy = desk.vary({"arrivals.scale": 2}, name="busy")
>>> results = twin.run([desk, busy], replications=3, keep_logs=True)
>>> log = results.log("small")
"""

from twin.measures.series.grid import BAND, interval_length
from twin.measures.series.outcomes import (
    arrivals_by_hour,
    confusion,
    hour_of_week,
    measured,
    pareto,
    rating_shares,
    ratings_by_category,
    response_times,
    service_by_hour,
)
from twin.measures.series.over_time import (
    levels_over_time,
    ratings_over_time,
    statuses,
    throughput,
)
from twin.measures.series.single import call_sample, calls_over_time, stories, ticket_lives
from twin.measures.series.studies import along
from twin.records.tables import OPEN_STATUSES

__all__ = [
    "BAND",
    "OPEN_STATUSES",
    "along",
    "arrivals_by_hour",
    "call_sample",
    "calls_over_time",
    "confusion",
    "hour_of_week",
    "interval_length",
    "levels_over_time",
    "measured",
    "pareto",
    "rating_shares",
    "ratings_by_category",
    "ratings_over_time",
    "response_times",
    "service_by_hour",
    "statuses",
    "stories",
    "throughput",
    "ticket_lives",
]
