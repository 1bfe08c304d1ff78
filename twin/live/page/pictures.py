"""Figures of runs and of the live desk, drawn on the pages as in the reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import streamlit as st

from twin.live.page.parts import escaped, show_picture

if TYPE_CHECKING:
    from twin.experiments.results import Results
    from twin.report.pictures import Picture
    from twin.report.source import Source

_WANTED = ("backlog", "response", "throughput", "ratings")


def show_pictures(
    sources: Mapping[str, Callable[[], Source]], drawn: dict[str, list[Picture]]
) -> None:
    """The main figures of one or several, on a tab each.

    Parameters
    ----------
    sources : mapping
        By the name of the tab: a function that makes what is drawn.
    drawn : dict
        Those that were drawn before; gets the others.
    """
    tabs = st.tabs([escaped(name) for name in sources])
    for (name, source), tab in zip(sources.items(), tabs, strict=True):
        with tab:
            if name not in drawn:
                with st.spinner("Drawing ..."):
                    drawn[name] = draw(source())
            for picture in drawn[name]:
                show_picture(picture)


def draw(source: Source) -> list[Picture]:
    """The main figures of a source."""
    from twin.report.pictures import of_run

    found = {}
    # They are drawn one by one: no more than what is shown here.
    for picture in of_run(source, "run"):
        found[picture.name.removeprefix("run-")] = picture
        if picture.name.endswith("-ratings"):
            break
    return [found[wanted] for wanted in _WANTED if wanted in found]


def source_of_run(results: Results, name: str) -> Source:
    """A run among results, by the name of its scenario."""
    from twin.report.source import Source

    run = next(run for run in results.runs if run.scenario == name)
    summary = results.summary()
    return Source(results, run, summary[summary["scenario"] == name])
