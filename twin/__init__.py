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

from twin.common.errors import ScenarioError, TwinError
from twin.common.imports import quick_imports
from twin.common.version import VERSION

if TYPE_CHECKING:
    from twin import report
    from twin.demand.tickets import draw
    from twin.desk.simulation import simulate
    from twin.experiments.checks import check
    from twin.experiments.comparison import Comparison, compare
    from twin.experiments.replication import play
    from twin.experiments.results import Results, open_results
    from twin.experiments.run import run
    from twin.experiments.studies.choice import select
    from twin.experiments.studies.explorer import explorer
    from twin.experiments.studies.results import StudyResults, open_study
    from twin.experiments.studies.search import search
    from twin.experiments.studies.sensitivity import crossings, effects
    from twin.experiments.studies.study import study
    from twin.experiments.validate import validate
    from twin.experiments.variance import split_variance
    from twin.experiments.warmup import warm_up
    from twin.history.calibrated_file import write_calibrated
    from twin.history.calibration import calibrate
    from twin.history.fidelity.fidelity import Fidelity, fidelity
    from twin.history.forecast.ahead import forecast
    from twin.history.forecast.written import write_forecast
    from twin.history.imported import read_history
    from twin.measures import series, theory
    from twin.measures.figures import kpi_table, measure
    from twin.report import plots
    from twin.report.explain import explain
    from twin.scenario.file import load
    from twin.scenario.model import Scenario, from_data
    from twin.stats.batches import batch_means
    from twin.stats.intervals import summarize
__version__ = VERSION

__all__ = [
    "Comparison",
    "Fidelity",
    "Results",
    "Scenario",
    "ScenarioError",
    "StudyResults",
    "TwinError",
    "__version__",
    "batch_means",
    "calibrate",
    "check",
    "compare",
    "crossings",
    "draw",
    "effects",
    "explain",
    "explorer",
    "fidelity",
    "forecast",
    "from_data",
    "kpi_table",
    "load",
    "measure",
    "open_results",
    "open_study",
    "play",
    "plots",
    "read_history",
    "report",
    "run",
    "search",
    "select",
    "series",
    "simulate",
    "split_variance",
    "study",
    "summarize",
    "theory",
    "validate",
    "warm_up",
    "write_calibrated",
    "write_forecast",
]

# Loaded when first used: `import twin` and `twin --help` wait for no numpy.
_HOMES = {
    "batch_means": "stats.batches",
    "check": "experiments.checks",
    "compare": "experiments.comparison",
    "crossings": "experiments.studies.sensitivity",
    "draw": "demand.tickets",
    "effects": "experiments.studies.sensitivity",
    "explain": "report.explain",
    "explorer": "experiments.studies.explorer",
    "fidelity": "history.fidelity.fidelity",
    "forecast": "history.forecast.ahead",
    "from_data": "scenario.model",
    "kpi_table": "measures.figures",
    "load": "scenario.file",
    "measure": "measures.figures",
    "open_results": "experiments.results",
    "open_study": "experiments.studies.results",
    "play": "experiments.replication",
    "calibrate": "history.calibration",
    "read_history": "history.imported",
    "run": "experiments.run",
    "search": "experiments.studies.search",
    "select": "experiments.studies.choice",
    "simulate": "desk.simulation",
    "study": "experiments.studies.study",
    "split_variance": "experiments.variance",
    "summarize": "stats.intervals",
    "validate": "experiments.validate",
    "warm_up": "experiments.warmup",
    "write_forecast": "history.forecast.written",
    "write_calibrated": "history.calibrated_file",
    "Comparison": "experiments.comparison",
    "Fidelity": "history.fidelity.fidelity",
    "Results": "experiments.results",
    "Scenario": "scenario.model",
    "StudyResults": "experiments.studies.results",
}


# Rooms within rooms that have a name of their own here.
_MODULES = {"plots": "report.plots", "report": "report", "series": "measures.series",
            "theory": "measures.theory"}  # fmt: skip


def __getattr__(name: str) -> Any:
    with quick_imports():
        if name in _MODULES:
            return import_module(f"twin.{_MODULES[name]}")
        if name not in _HOMES:
            raise AttributeError(f"module 'twin' has no attribute '{name}'")
        return getattr(import_module(f"twin.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
