"""A digital twin of a customer-support desk.

>>> import twin
>>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
>>> results = twin.run([desk, desk.vary({"arrivals.scale": 2})], replications=3)
>>> sorted(results.summary()["scenario"].unique())
['scenario', 'scenario arrivals.scale=2']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twin import plots, report, series
    from twin.checks import check
    from twin.comparison import Comparison, compare
    from twin.demand import draw
    from twin.desk import simulate
    from twin.experiment import run
    from twin.faults import ScenarioError
    from twin.kpis import kpi_table, measure
    from twin.replication import play
    from twin.results import Results, open_results
    from twin.scenario import Scenario
    from twin.scenario_file import from_data, load
    from twin.stats.batches import batch_means
    from twin.stats.intervals import summarize
    from twin.studies.choice import select
    from twin.studies.results import StudyResults, open_study
    from twin.studies.search import search
    from twin.studies.sensitivity import crossings, effects
    from twin.studies.study import study
    from twin.variance import split_variance
    from twin.warmup import warm_up

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "Results",
    "Scenario",
    "ScenarioError",
    "StudyResults",
    "batch_means",
    "check",
    "compare",
    "crossings",
    "draw",
    "effects",
    "from_data",
    "kpi_table",
    "load",
    "measure",
    "open_results",
    "open_study",
    "play",
    "plots",
    "report",
    "run",
    "search",
    "select",
    "series",
    "simulate",
    "split_variance",
    "study",
    "summarize",
    "warm_up",
]

# Loaded when first used: `import twin` and `twin --help` wait for no numpy.
_HOMES = {
    "batch_means": "stats.batches",
    "check": "checks",
    "compare": "comparison",
    "crossings": "studies.sensitivity",
    "draw": "demand",
    "effects": "studies.sensitivity",
    "from_data": "scenario_file",
    "kpi_table": "kpis",
    "load": "scenario_file",
    "measure": "kpis",
    "open_results": "results",
    "open_study": "studies.results",
    "play": "replication",
    "run": "experiment",
    "search": "studies.search",
    "select": "studies.choice",
    "simulate": "desk",
    "study": "studies.study",
    "split_variance": "variance",
    "summarize": "stats.intervals",
    "warm_up": "warmup",
    "Comparison": "comparison",
    "Results": "results",
    "Scenario": "scenario",
    "ScenarioError": "faults",
    "StudyResults": "studies.results",
}


# Modules that are reached as twin.plots and the like.
_MODULES = ("plots", "report", "series")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"twin.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'twin' has no attribute '{name}'")
    return getattr(import_module(f"twin.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
