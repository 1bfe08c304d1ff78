"""The page What-if: turn the knobs of a scenario, play it beside a baseline, see what differs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from twin.live.page import knobs
from twin.live.page.parts import (
    escaped,
    line,
    results_folder,
    scenario_files,
    show_picture,
    show_table,
    show_title,
    with_code,
)
from twin.live.page.pictures import show_pictures, source_of_run
from twin.live.page.playing import Progress, say, with_bar

if TYPE_CHECKING:
    from twin.experiments.comparison import Comparison
    from twin.experiments.results import Results
    from twin.report.pictures import Picture
    from twin.scenario.model import Scenario

_OTHER = "another file ..."
_REPLICATIONS = 4


@dataclass
class _Played:
    """Results of a play, for as long as the page shows them."""

    names: list[str]
    results: Results
    comparison: Comparison | None = None
    pictures: dict[str, list[Picture]] = field(default_factory=dict)


def show() -> None:
    """Draw the page."""
    show_title("What if?")
    st.write("Change the desk, play it in the simulation, and see what would differ.")
    files = scenario_files()
    base = _pick(files)
    if base is None:
        return
    changes = knobs.knobs(base)
    against = _against(files, base)
    count = st.number_input(
        "Replications", 2, 100, _REPLICATIONS,
        help="How often each desk is played, each time with other luck. More take longer and make "
        "narrower intervals.",
    )  # fmt: skip
    what_if = _varied(base, changes)
    if what_if is None or against is None:
        return
    desks = [what_if] if what_if is base and against is base else [against, what_if]
    if st.button("Run", type="primary", icon=":material/play_arrow:"):
        _play(desks, int(count))
    knobs.save(base, changes)
    played = st.session_state.get("whatif")
    if played is not None:
        _show(played)


def _pick(files: list[Path]) -> Scenario | None:
    names = [path.stem for path in files]
    start = names.index("baseline") if "baseline" in names else 0
    name = st.selectbox("Scenario", [*names, _OTHER], index=start, format_func=line)
    if name != _OTHER:
        scenario = _load(files[names.index(name)])
    else:
        text = st.text_input("Scenario file", placeholder="scenarios/mine.toml")
        scenario = _load(Path(text.strip())) if text.strip() else None
    if scenario is not None and scenario.question:
        st.caption(escaped(scenario.question))
    return scenario


def _load(path: Path) -> Scenario | None:
    from twin.common.errors import Fault, ScenarioError
    from twin.scenario.file import load

    try:
        if path.suffix != ".toml":
            raise ScenarioError(str(path), [Fault("", "not a scenario file: those end in .toml")])
        return load(path)
    except ScenarioError as error:
        say(error)
        return None


def _against(files: list[Path], base: Scenario) -> Scenario | None:
    """The scenario to compare with: by default the one that was picked, as it is in its file."""
    names = [path.stem for path in files if path != base._path]
    itself = f"{base.name}, as it is in its file"
    name = st.selectbox("Compare with", [itself, *names], format_func=line)
    if name == itself:
        return base
    return _load(next(path for path in files if path.stem == name))


def _varied(base: Scenario, changes: dict[str, Any]) -> Scenario | None:
    from twin.common.errors import ScenarioError

    if not changes:
        return base
    try:
        return base.vary(changes, name=f"{base.name} what-if"[:120])
    except ScenarioError as error:
        say(error)
        return None


def _play(desks: list[Scenario], replications: int) -> None:
    from twin.experiments.comparison import compare
    from twin.experiments.run import run

    def play(progress: Progress) -> _Played:
        # In this process: workers would start from the page's own script.
        results = run(desks, replications, out=results_folder(), progress=progress)
        names = [desk.name for desk in desks]
        played = _Played(names, results)
        if len(desks) > 1 and set(names) <= set(results.kpis["scenario"]):
            played.comparison = compare(results, baseline=names[0])
        return played

    if (played := with_bar(play)) is not None:
        st.session_state["whatif"] = played


def _show(played: _Played) -> None:
    st.subheader(" against ".join(escaped(name) for name in reversed(played.names)))
    results = played.results
    for run in results.runs:
        if run.failed:
            st.warning(f"{run.failed} of {run.asked} replications of {escaped(run.scenario)} "
                       "failed; the others are shown.")  # fmt: skip
    for note in results.notes:
        st.caption(f"Note: {with_code(note)}")
    if not len(results.kpis):
        st.error("No replication ended well, so there is nothing to show.")
        return
    _figures(played)
    joint = "; intervals of differences hold together with 95 %" if played.comparison else ""
    st.caption(f"± is the 95 % interval over replications{joint}.")
    if results.paths:
        st.caption(f"Saved in {escaped(str(results_folder()))}; the page Results has the reports.")
    _pictures(played)


def _figures(played: _Played) -> None:
    from twin.common.text import interval, label
    from twin.experiments.display import figure_rows
    from twin.measures.figures import MAIN
    from twin.stats.verdicts import EQUAL, OPEN, UNKNOWN

    rows = figure_rows(played.results.summary(), MAIN, played.names)
    head = ["figure", *played.names]
    if played.comparison is not None:
        head.append("difference")
        compared: list[dict[str, Any]] = played.comparison.table.to_dict("records")  # type: ignore[assignment]
        of = {label(row["kpi"]): row for row in compared if not row["group"]}
        for row in rows:
            found = of.get(row[0])
            verdict = UNKNOWN if found is None else found["verdict"]
            if found is None or verdict == UNKNOWN:
                row.append("")
            elif verdict in (EQUAL, OPEN):
                row.append(verdict)
            else:
                row.append(f"{verdict}: {interval(found)}")
    show_table(head, rows, "Key figures", numbers=True)


def _pictures(played: _Played) -> None:
    from twin.report.pictures import of_comparison

    if played.comparison is not None:
        if "forest" not in played.pictures:
            summary = played.results.summary()
            played.pictures["forest"] = list(of_comparison(played.comparison, summary))
        for picture in played.pictures["forest"]:
            show_picture(picture)
    of = {name: partial(source_of_run, played.results, name) for name in reversed(played.names)}
    show_pictures(of, played.pictures)
