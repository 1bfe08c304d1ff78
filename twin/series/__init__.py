"""Frames for figures and for questions of one's own, computed from the tables of runs.

Every function takes tables as `Results.table` gives them (one scenario, one or many replications)
and gives a tidy frame. Where a figure leaves the warm-up out, its series does, by the rules of
`twin.kpis`, so that figures and key figures agree.

A *band* (columns low and high) is the middle 80 % of the replications, interval by interval: how
much one week differs from another. It is missing with fewer than three. An *interval* is the 95 %
confidence interval of `twin.stats.intervals`.
"""

from twin.series.grid import BAND, interval_length
from twin.series.outcomes import (
    confusion,
    hour_of_week,
    measured,
    pareto,
    rating_shares,
    ratings_by_category,
    response_times,
    service_by_hour,
)
from twin.series.over_time import (
    OPEN_STATUSES,
    levels_over_time,
    ratings_over_time,
    statuses,
    throughput,
)
from twin.series.single import call_sample, calls_over_time, stories, ticket_lives

__all__ = [
    "BAND",
    "OPEN_STATUSES",
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
