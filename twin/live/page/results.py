"""The page Results: runs that were saved, their figures, and their reports."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from twin.live.page.parts import escaped, line, results_folder, show_table, show_title

if TYPE_CHECKING:
    from twin.experiments.results import Results

_MOST = 200
_HEIGHT = 900


def show() -> None:
    """Draw the page."""
    show_title("Results")
    runs = saved_runs(results_folder())
    if not runs:
        st.write("Nothing was run yet. Play a desk on the page What-if, or with `twin run`.")
        return
    labels = {path: _label(manifest) for path, manifest in runs}
    paths = list(labels)
    first = st.selectbox("Run", paths, format_func=labels.__getitem__)
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

    for run in results.runs:
        if run.question:
            st.text(f"{run.scenario}: {run.question}")
    for note in results.notes:
        st.caption(f"Note: {escaped(note)}")
    if not len(results.kpis):
        st.error("No replication of it is whole.")
        return
    whole = " and ".join(f"{run.whole} of {run.asked}" for run in results.runs)
    if st.button("Open the report", type="primary", icon=":material/description:"):
        _report(results, paths)
    written = st.session_state.get("report")
    if written is not None and written[0] == paths:
        name = "-against-".join(run.scenario for run in reversed(results.runs))
        st.download_button("Download it", written[1], f"{name}.html", "text/html",
                           on_click="ignore", icon=":material/download:")  # fmt: skip
        # It holds no script, forbids them by its own policy, and escapes all texts.
        st.iframe(written[1], height=_HEIGHT)
    names = [run.scenario for run in results.runs]
    show_table(["figure", *names], figure_rows(results.summary(), MAIN, names), "Key figures",
               numbers=True)  # fmt: skip
    st.caption(f"From {whole} replications; ± is the 95 % interval over them.")


def _report(results: Results, paths: list[Path]) -> None:
    from twin.report.page import page

    with st.spinner("Writing the report ..."):
        try:
            st.session_state["report"] = (paths, page(results))
        except ValueError as error:
            st.error("There is no report of it:")
            st.text(str(error))
