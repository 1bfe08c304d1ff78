"""Results of a study, in memory and on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from twin.common.files import read_sealed
from twin.common.text import estimate, level
from twin.experiments import manifest as provenance
from twin.experiments import versions
from twin.experiments.display import study_html
from twin.experiments.results import Results, Run
from twin.experiments.studies.file import Plan
from twin.measures.figures import figure_of
from twin.records import storage
from twin.scenario.model import Scenario
from twin.scenario.roster import names
from twin.stats import intervals

MANIFEST = "study.json"
_FRAMES = ("frame", "failures", "points")


@dataclass(frozen=True)
class StudyResults:
    """Results of a study.

    Attributes
    ----------
    name, question : str
    factors : tuple of str
        Names of the factor columns.
    frame : DataFrame
        A row a point, replication and figure: point, scenario, the factors, replication, kpi,
        group, unit, numerator, denominator, value.
    failures : DataFrame
        A row a replication that failed, with its reason: point, scenario, the factors, replication,
        stage, type, message, traceback.
    points : DataFrame
        A row a point: point, scenario, the factors, replications asked and whole.
    shown : tuple of str
        Figures that answer the question, as "kpi" or "kpi:group".
    crossings : tuple of dict
        Where along a factor a figure's limit matters: keys kpi, along, limit.
    notes : tuple of str
        Remarks that the reader needs.
    played : int
        Replications that this call played; the others were there from before.
    path : Path or None
        Folder it was saved in.
    manifest : mapping
        The study and its scenarios as run, versions and more, as in its study.json.
    """

    name: str
    question: str
    factors: tuple[str, ...]
    frame: pd.DataFrame
    failures: pd.DataFrame
    points: pd.DataFrame
    shown: tuple[str, ...]
    crossings: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    played: int = 0
    path: Path | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def names(self) -> dict[str, str]:
        """Factors as people name them; see `twin.scenario.roster.names`.

        Examples
        --------
        >>> import twin
        >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
        ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
        >>> plan = {"scenario": desk, "factors": {"agents.all.heads": [1, 2]}}
        >>> twin.study(plan, replications=2).names
        {'agents.all.heads': 'all.heads'}
        """
        bases = self.manifest.get("base_as_run", [])
        base = Scenario.model_validate(bases[0]) if len(bases) == 1 else None
        return names(self.factors, base)

    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """Every figure of every point over its replications, with its interval.

        Returns
        -------
        DataFrame
            Columns point, scenario, the factors, and those of `twin.stats.intervals.summarize`.

        Examples
        --------
        >>> import twin
        >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
        ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
        >>> plan = {"scenario": desk, "factors": {"arrivals.scale": [1, 2]}}
        >>> found = twin.study(plan, replications=2)
        >>> backlog = found.summary().query("kpi == 'backlog'")
        >>> backlog["arrivals.scale"].tolist()
        [1, 2]
        """
        summary = intervals.summarize(self.frame, level, self.sources)
        columns = ["point", "scenario", *self.factors]
        return self.points[columns].merge(summary, on="scenario", how="right")

    @cached_property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """Sources of uncertainty beside luck, of the points that are played in versions."""
        bases = self.manifest.get("base_as_run", [])
        if not any("uncertainty" in base for base in bases):
            return {}
        found = {}
        for name in self.points["scenario"]:
            desk = self.scenario(name)
            # A study of an older version says it of its base alone.
            given = bases[0]["uncertainty"] if desk is None else desk.as_data().get("uncertainty")
            if wanted := versions.sources(given):
                found[name] = wanted
        return found

    def scenario(self, name: str) -> Scenario | None:
        """The scenario of a point as it was played; None in a study of an older version.

        Examples
        --------
        >>> import twin
        >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
        ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
        >>> plan = {"scenario": desk, "factors": {"agents.all.heads": [1, 2]}}
        >>> found = twin.study(plan, replications=2)
        >>> found.scenario(found.points["scenario"][1]).agents["all"].heads
        2
        """
        point = self.manifest.get("points_as_run", {}).get(name)
        return None if point is None else self._bases[point["base"]].vary(point["changes"], name)

    @cached_property
    def _bases(self) -> dict[str, Scenario]:
        found = map(Scenario.model_validate, self.manifest["base_as_run"])
        return {base.name: base for base in found}

    def rows(self) -> list[tuple[list[str], list[str]]]:
        """Points as they are shown: levels of the factors, and figures with their intervals.

        Without factors the name of the scenario stands in their place.

        Examples
        --------
        >>> import twin
        >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
        ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
        >>> plan = {"scenario": desk, "factors": {"arrivals.scale": [1, 2]}, "kpis": ["backlog"]}
        >>> [levels for levels, figures in twin.study(plan, replications=2).rows()]
        [['1'], ['2']]
        """
        # Without a whole replication there is nothing to sum up.
        summary = self.summary() if len(self.frame) else self.frame
        cells = {
            (row["scenario"], row["kpi"], row["group"]): estimate(row)
            for row in summary.to_dict("records")
        }
        factors, shown = self.factors or ("scenario",), [figure_of(name) for name in self.shown]
        return [
            (
                [level(point[name]) for name in factors],
                [cells.get((point["scenario"], *figure), "-") for figure in shown],
            )
            for point in self.points.to_dict("records")
        ]

    def _repr_html_(self) -> str:
        title = (self.name, self.question)
        factors = list(self.names.values())
        return study_html(title, self.points, factors, self.shown, self.rows(), self.notes)

    def results(self) -> Results:
        """The points as runs, as `twin.compare` takes them.

        Examples
        --------
        >>> import twin
        >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
        ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
        >>> plan = {"scenario": desk, "factors": {"arrivals.scale": [1, 2]}}
        >>> found = twin.study(plan, replications=3)
        >>> names = found.points["scenario"].tolist()
        >>> table = twin.compare(found.results(), names[0], ["occupancy"]).table
        >>> table["verdict"].astype(str).tolist()
        ['higher']
        """
        runs = []
        for row in self.points.to_dict("records"):
            asked, whole = int(row["asked"]), int(row["whole"])
            status = "complete" if whole else "failed"
            name = str(row["scenario"])
            manifest = self._run_manifest(name)
            runs.append(Run(name, self.question, status, asked, whole, asked - whole,
                            manifest=manifest))  # fmt: skip
        columns = ["scenario", "replication", "kpi", "group", "unit"]
        columns += ["numerator", "denominator", "value"]
        failures = self.failures.drop(columns=["point", *self.factors], errors="ignore")
        return Results(self.frame[columns], failures, tuple(runs))

    def _run_manifest(self, name: str) -> dict[str, Any]:
        """The part of a run's manifest that comparisons go by; empty where it is not known."""
        scenario = self.scenario(name)
        if scenario is None:
            return {}
        return {
            "scenario_as_run": scenario.as_data(),
            "pairs_by": provenance.pairs_by(scenario) | {"code": self.manifest["code"]},
            "files": provenance.file_hashes(scenario),
        }


def home(out: Path, name: str) -> Path:
    """Folder of a study in a folder of results."""
    return out / "studies" / name


def as_run(plan: Plan) -> dict[str, Any]:
    """The origin of a study for its manifest, as plain data."""
    return {
        "code": provenance.code_digest(),
        "versions": provenance.versions(),
        "commit": provenance.commit(),
        "base_as_run": [base.as_data() for base in plan.bases],
        "study_as_run": plan.file.model_dump(
            mode="json", exclude_unset=True, exclude={"scenario", "scenarios"}
        ),
    }


def save_study(results: StudyResults, out: Path) -> StudyResults:
    """Write the frames and a manifest into a new folder beside the replications."""
    parent = home(out, results.name)
    folder = storage.new_run_folder(parent, "", provenance.code_digest())
    saved = replace(results, path=folder)
    manifest = {
        "study": results.name,
        "question": results.question,
        "factors": list(results.factors),
        "shown": list(results.shown),
        "crossings": list(results.crossings),
        "notes": list(results.notes),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "played": results.played,
        **results.manifest,
    }
    frames = {name: getattr(results, name) for name in _FRAMES}
    storage.write_frames(folder, frames, MANIFEST, manifest)
    return saved


def holds_study(path: Path) -> bool:
    """True if `open_study` finds a study there."""
    return (path / MANIFEST).is_file() or any(path.glob(f"*/{MANIFEST}"))


def open_study(path: str | Path) -> StudyResults:
    """Open a saved study.

    Parameters
    ----------
    path : str or Path
        Its folder, or the folder of all that one study found (the newest is taken).

    Raises
    ------
    ValueError
        If it is neither, or a file is damaged.

    Examples
    --------
    >>> import tempfile, twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> plan = {"name": "load", "scenario": desk, "factors": {"arrivals.scale": [1, 2]}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = twin.study(plan, replications=2, out=folder)
    ...     again = twin.open_study(saved.path)
    >>> again.name, len(again.points)
    ('load', 2)
    """
    path = Path(path)
    if not (path / MANIFEST).is_file():
        inside = [p.parent for p in path.glob(f"*/{MANIFEST}")]
        if not inside:
            raise ValueError(f"{path} holds no study: no {MANIFEST} in it or in its folders")
        path = max(inside, key=storage.age)
    try:
        manifest = read_sealed(path / MANIFEST, "the manifest of a study")
        frames = {name: storage.read_frame(path / f"{name}.parquet") for name in _FRAMES}
        return StudyResults(
            name=manifest["study"],
            question=manifest["question"],
            factors=tuple(manifest["factors"]),
            frame=frames["frame"],
            failures=frames["failures"],
            points=frames["points"],
            shown=tuple(manifest["shown"]),
            crossings=tuple(manifest["crossings"]),
            notes=tuple(manifest["notes"]),
            path=path,
            manifest=manifest,
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path} cannot be read: {why}") from None
