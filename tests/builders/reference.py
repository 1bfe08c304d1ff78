"""The reference runs in results/reference: small ones of all that is shipped, to be looked at.

    python -m tests.builders.reference

plays them and rewrites the folder of a checkout: key figures as Parquet, a report as HTML, and the
figure of the README; then it writes the gallery from them. A test plays some of them again and
says when they are stale.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
from joblib import cpu_count

import twin
from tests.builders import gallery, reference_pages
from twin.experiments import manifest as provenance
from twin.experiments.studies.design import design
from twin.experiments.studies.file import read_study
from twin.experiments.studies.results import StudyResults
from twin.measures.figures import figure_of
from twin.report.page import page
from twin.scenario.model import Scenario

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("results") / "reference"
REPLICATIONS = 3
BASELINE = "baseline"
WHAT_IFS = "what-ifs"
# Figures with a row for each pair of categories, or number of stars.
TOO_LONG = ("confusion", "rating_share")
# Of hundreds of points, of which a search plays a few.
FOR_SEARCH = ("december",)
# The desk of `twin serve` asks no what-if.
NO_WHAT_IF = ("live-desk",)


def scenarios(root: Path = ROOT) -> list[Scenario]:
    """The shipped scenarios, the baseline first."""
    paths = sorted((root / "scenarios").glob("*.toml"), key=lambda p: (p.stem != BASELINE, p.stem))
    return [twin.load(path) for path in paths if path.stem not in NO_WHAT_IF]


def studies(root: Path = ROOT) -> list[Path]:
    """Files of the shipped studies that are played here."""
    paths = (root / "scenarios" / "studies").glob("*.toml")
    return sorted(path for path in paths if path.stem not in FOR_SEARCH)


def inputs(root: Path = ROOT) -> dict[str, str]:
    """Sources of the runs, but for the code: short hashes by path below `root`."""
    folder = root / "scenarios"
    paths = [*folder.glob("*.toml"), *studies(root), *folder.glob("corpus/*.csv")]
    paths.append(folder / "knowledge")
    names = {path.relative_to(root).as_posix(): path for path in paths}
    return {name: provenance.digest(path)[:16] for name, path in sorted(names.items())}


def kept(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that are kept: of the main splits, without those that take most room."""
    return frame[~frame["kpi"].isin(TOO_LONG)].reset_index(drop=True)


def shown(study: StudyResults) -> pd.DataFrame:
    """Of a study the figures that it shows, of all tickets."""
    names = [figure_of(name) for name in study.shown]
    rows = pd.MultiIndex.from_frame(study.frame[["kpi", "group"]])
    return study.frame[rows.isin(names)].reset_index(drop=True)


def samples(root: Path = ROOT) -> Iterator[tuple[str, Scenario]]:
    """Some of the runs, to be played again: folder of the reference, and scenario.

    The longest runs are left out; of each study the first and the last point are taken.
    """
    for desk in scenarios(root):
        if desk.horizon <= 8 * 86400:
            yield WHAT_IFS, desk
    for path in studies(root):
        points = design(read_study(path))
        for point in (points[0], points[-1]):
            yield path.stem, point.scenario


def build(root: Path = ROOT, workers: int | None = None) -> Path:
    """Play all, and replace what is in the folder; nothing is replaced before all is played.

    Parameters
    ----------
    root : Path
        A checkout.
    workers : int, optional
        Processes; by default one a core.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    RuntimeError
        If a replication fails.
    """
    workers = workers or cpu_count()
    first, *others = scenarios(root)
    # The page of the baseline answers yes or no, which takes the replications of its file.
    baseline = twin.run(first, workers=workers, keep_logs=True)
    every = twin.run([first, *others], REPLICATIONS, workers)
    found = [twin.study(path, REPLICATIONS, workers) for path in studies(root)]
    failures = [baseline.failures, every.failures, *(study.failures for study in found)]
    if sum(map(len, failures)):
        message = next(str(f["message"].iloc[0]) for f in failures if len(f))
        raise RuntimeError(f"a replication failed: {message}")
    folder = root / FOLDER
    for old in (p for p in folder.glob("*") if p.is_dir()):
        shutil.rmtree(old)
    folder.mkdir(parents=True, exist_ok=True)
    _save(folder / BASELINE, kept(baseline.kpis), lambda: page(baseline), root)
    _save(folder / WHAT_IFS, kept(every.kpis), lambda: reference_pages.what_ifs(every), root)
    for study in found:
        _save(folder / study.name, shown(study),
              lambda study=study: page(study), root)  # type: ignore[misc]  # fmt: skip
    reference_pages.readme_figure(baseline, first, every, folder / "desk.svg")
    gallery.rows(every).to_parquet(root / gallery.ROWS, compression="zstd", index=False)
    gallery.write(root)
    _write(folder / "inputs.json", json.dumps(inputs(root), indent=2) + "\n")
    return folder


def _save(folder: Path, frame: pd.DataFrame, text: Callable[[], str], root: Path) -> None:
    folder.mkdir()
    # The value is the numerator over the denominator, and sums by text fill most of a file.
    frame = frame.drop(columns=["value", "by_text"])
    frame.to_parquet(folder / "kpis.parquet", compression="zstd", index=False)
    # Where the checkout lies on this machine is nobody's business.
    _write(folder / "report.html", text().replace(f"{root}/", ""))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    build()
