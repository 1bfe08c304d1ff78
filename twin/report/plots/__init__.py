"""Figures: each takes a frame of `twin.series` and, if given, the Axes to draw into; returns it.

Nothing is computed here: a figure shows the numbers of its frame.

The examples of this package share a small desk, the results of two runs, and the log of one:

>>> import twin
>>> from twin import plots, series
>>> desk = twin.from_data({
...     "name": "small", "horizon": "1d", "warm_up": "4h", "arrivals": {"rate": "12/h"},
...     "assistant": {"role": "full", "backend": "profile"},
...     "agents": {"all": {"heads": 1, "handle_time": "8min", "cost": 20}},
...     "targets": {"first_response": {"urgent": "15min", "normal": "4h"}},
... })
>>> busy = desk.vary({"arrivals.scale": 2}, name="busy")
>>> results = twin.run([desk, busy], replications=3, keep_logs=True)
>>> log = results.log("small")
>>> ax = plots.throughput(series.throughput(log.tickets, desk.horizon))
>>> ax.get_title("left")
'Arrivals and throughput'
"""

from twin.report.plots.calls import call_latency, quota_wait, rate_limited
from twin.report.plots.decision import decision, decision_height
from twin.report.plots.differences import forest, forest_height
from twin.report.plots.fidelity import hourly_waits, rungs
from twin.report.plots.front import pareto
from twin.report.plots.lives import ticket_lives
from twin.report.plots.over_time import (
    backlog,
    overlaid,
    ratings_over_time,
    statuses,
    throughput,
)
from twin.report.plots.picture import svg
from twin.report.plots.quality import (
    arrivals_by_hour,
    confusion,
    ratings,
    ratings_by_category,
    response_times,
    responses_overlaid,
    service_by_hour,
)
from twin.report.plots.studies import against_load, warm_up
from twin.report.plots.style import rows_of

__all__ = [
    "against_load",
    "arrivals_by_hour",
    "backlog",
    "call_latency",
    "confusion",
    "decision",
    "decision_height",
    "forest",
    "forest_height",
    "hourly_waits",
    "overlaid",
    "pareto",
    "quota_wait",
    "rate_limited",
    "ratings",
    "ratings_by_category",
    "ratings_over_time",
    "response_times",
    "responses_overlaid",
    "rows_of",
    "rungs",
    "service_by_hour",
    "statuses",
    "svg",
    "throughput",
    "ticket_lives",
    "warm_up",
]
