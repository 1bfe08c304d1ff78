"""The page Results: runs that were saved, and the live desk itself: figures and reports."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from twin.live.page.parts import line, results_folder, show_table, show_title, with_code
from twin.live.page.pictures import show_pictures, source_of_run

if TYPE_CHECKING:
    from twin.experiments.results import Results

DATABASE = "TWIN_DATABASE"
# In place of a run's folder.
_LIVE = Path()
_MOST = 200
_HEIGHT = 900


def show() -> None:
    """Draw the page."""
    show_title("Results")
    runs = saved_runs(results_folder())
    labels = {path: _label(manifest) for path, manifest in runs}
    # `twin serve` tells where the desk keeps its tickets.
    database = os.environ.get(DATABASE, "")
    if database:
        labels[_LIVE] = "The live desk, as it ran"
    if not labels:
        st.write("Nothing was run yet. Play a desk on the page What-if, or with `twin run`.")
        return
    paths = [path for path in labels if path != _LIVE]
    first = st.selectbox("Show", list(labels), format_func=labels.__getitem__)
    if first == _LIVE:
        _show_live(database)
        return
    others = [path for path in paths if path.parent != first.parent]
    second = st.selectbox(
        "Compare with", others, index=None, format_func=labels.__getitem__,
        placeholder="nothing", help="A run of another scenario, as the baseline.",
    )  # fmt: skip
    chosen = [first] if second is None else [second, first]
    results = _open(chosen)
    if results is not None:
        _show(results, chosen)


def saved_runs(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Folders of runs and their manifests, the newest first, without those that cannot be read."""
    from twin.records import storage

    paths = sorted(folder.glob(f"*/*/{storage.MANIFEST}"), key=lambda p: storage.age(p.parent))
    found: list[tuple[Path, dict[str, Any]]] = []
    for path in reversed(paths[-_MOST:]):
        try:
            found.append((path.parent, storage.read_manifest(path.parent)))
        except ValueError:
            continue
    return found


def _label(manifest: dict[str, Any]) -> str:
    try:
        started = datetime.fromisoformat(str(manifest.get("started"))).astimezone(UTC)
        when = f"{started:%d %b %Y, %H:%M} UTC"
    except ValueError:
        when = "no date"
    status = str(manifest["status"])
    ended = "" if status == "complete" else f", {status}"
    return line(f"{manifest['scenario']}, {when}{ended}", 100)


def _open(paths: list[Path]) -> Results | None:
    from twin.experiments.results import open_results

    try:
        return open_results(*paths)
    except ValueError as error:
        st.error("This cannot be opened:")
        st.text(str(error))
        return None


def _show(results: Results, paths: list[Path]) -> None:
    from twin.experiments.display import figure_rows
    from twin.measures.figures import MAIN
    from twin.report.page import page

    for run in results.runs:
        if run.question:
            st.text(f"{run.scenario}: {run.question}")
    for note in results.notes:
        st.caption(f"Note: {with_code(note)}")
    if not len(results.kpis):
        st.error("No replication of it is whole.")
        return
    names = [run.scenario for run in results.runs]
    show_table(["figure", *names], figure_rows(results.summary(), MAIN, names), "Key figures",
               numbers=True)  # fmt: skip
    whole = " and ".join(f"{run.whole} of {run.asked}" for run in results.runs)
    st.caption(f"From {whole} replications; ± is the 95 % interval over them.")
    if st.button("Open the report", type="primary", icon=":material/description:"):
        _report(paths, lambda: page(results))
    _written(paths, "-against-".join(reversed(names)))
    kept = st.session_state.get("results drawn")
    if kept is None or kept[0] != paths:
        kept = st.session_state["results drawn"] = (paths, {})
    of = {name: partial(source_of_run, results, name) for name in reversed(names)}
    show_pictures(of, kept[1])


def _show_live(database: str) -> None:
    """The live desk's record in the figures, pictures and page of a history."""
    from twin.common.errors import TwinError
    from twin.experiments.display import figure_rows
    from twin.live.record import live_history
    from twin.measures.figures import MAIN
    from twin.report.history import page, source_of

    kept = st.session_state.get("live record")
    if st.button("Read again", icon=":material/refresh:") or kept is None:
        try:
            with st.spinner("Reading what happened at the desk ..."):
                kept = live_history(database), datetime.now(UTC), {}
        except (TwinError, ValueError) as error:
            st.error("There is nothing to show yet:")
            st.text(str(error))
            return
        st.session_state["live record"] = kept
    history, read, drawn = kept
    results = history.results()
    st.caption(f"As of {read:%d %b %Y, %H:%M} UTC: volume, responses, returns and CSAT, measured "
               "as those of a run.")  # fmt: skip
    name = results.runs[0].scenario
    show_table(["figure", "live desk"], figure_rows(results.summary(), MAIN, [name]),
               "Key figures", numbers=True)  # fmt: skip
    for note in (*history.notes, *history.missing()):
        st.caption(f"Note: {with_code(note)}")
    if st.button("Open the report", type="primary", icon=":material/description:"):
        _report([read], lambda: page(history))
    _written([read], "live-desk")
    show_pictures({"The live desk": lambda: source_of(history)}, drawn)


def _report(of: list[Any], write: Callable[[], str]) -> None:
    with st.spinner("Writing the report ..."):
        try:
            st.session_state["report"] = (of, write())
        except ValueError as error:
            st.error("There is no report of it:")
            st.text(str(error))


def _written(of: list[Any], name: str) -> None:
    """The report that was opened, if it is of what is shown."""
    written = st.session_state.get("report")
    if written is None or written[0] != of:
        return
    st.download_button("Download it", written[1], f"{name}.html", "text/html",
                       on_click="ignore", icon=":material/download:")  # fmt: skip
    # It holds no script, forbids them by its own policy, and escapes all texts.
    st.iframe(written[1], height=_HEIGHT)
