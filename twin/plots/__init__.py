"""Figures: each takes a frame of `twin.series` and, if given, the Axes to draw into; returns it.

Nothing is computed here: what is drawn is what the frame says.

>>> import pandas as pd
>>> from twin import plots
>>> frame = pd.DataFrame({"rating": [4, 5], "share": [0.25, 0.75], "low": [0.2, 0.7],
...                       "high": [0.3, 0.8]})
>>> ax = plots.ratings(frame)
>>> ax.get_title("left")
'How customers rate the answer'
"""

from twin.plots.calls import call_latency, quota_wait, rate_limited
from twin.plots.over_time import backlog, ratings_over_time, statuses, throughput
from twin.plots.quality import (
    confusion,
    ratings,
    ratings_by_category,
    response_times,
    service_by_hour,
)
from twin.plots.studies import against_load, forest, forest_height, pareto, warm_up
from twin.plots.style import rows_of, svg
from twin.plots.timelines import ticket_lives

__all__ = [
    "against_load",
    "backlog",
    "call_latency",
    "confusion",
    "forest",
    "forest_height",
    "pareto",
    "quota_wait",
    "rate_limited",
    "ratings",
    "ratings_by_category",
    "ratings_over_time",
    "response_times",
    "rows_of",
    "service_by_hour",
    "statuses",
    "svg",
    "throughput",
    "ticket_lives",
    "warm_up",
]
