"""The page Staffing: a slider a shift, and at once the figures of the desk so staffed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

import twin
from twin.live.limits import Busy, Gate
from twin.live.page.parts import (
    escaped,
    line,
    scenario_files,
    show_picture,
    show_table,
    show_title,
)
from twin.live.page.playing import say
from twin.live.page.setting import MovedDesk, check, offer_check, take_away
from twin.live.serve import DESK, DESK_CHANGES

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from streamlit.delta_generator import DeltaGenerator

    from twin.experiments.levers import Lever
    from twin.experiments.same_customers import Answer, SameCustomers
    from twin.scenario.model import Scenario

# Sliders and figures beside each other take more room than the other pages.
_WIDE = """<style>[data-testid="stMainBlockContainer"] { max-width: 74rem; }</style>"""
# Visitors who may wait for figures at the same time.
_PLACES = Gate(8)
_COMPILE_S = 300
_DAYS = ("Whole week", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def show() -> None:
    """Draw the page."""
    show_title("Staffing")
    st.html(_WIDE)
    st.write("Move the agents of a shift, and see at once what would differ.")
    picked = _pick()
    if picked is None:
        return
    base, own = picked
    desk = _ready(base)
    if desk is None:
        return
    left, right = st.columns([2, 3], gap="large")
    with left:
        moved = _sliders(base)
    setting = _varied(base, moved)
    if setting is None:
        return
    # The first figures before anything of theirs is drawn: until then the last ones stay.
    with contextlib.closing(_rounds(desk.quick, setting)) as answers:
        with right:
            first = _first(answers)
        if first is None:
            return
        with right:
            said, table = st.empty(), st.empty()
            day = st.selectbox("Days of the picture", _DAYS)
            places = _Places(said, table, st.empty())
            _show_answer(places, desk.quick.engine(setting), first, day)
        checked = None
        if moved:
            # Below the figures: a telephone shows all of this in one column.
            checked = offer_check()
            below = st.container()
            take_away(base, setting, own, moved)
        for answer in answers:
            _show_answer(places, desk.quick.engine(setting), answer, day)
    if checked is not None:
        with below:
            check(desk, setting, play=checked)


@dataclass
class _Places:
    """Places on the page that are filled again as better figures come."""

    said: DeltaGenerator
    table: DeltaGenerator
    picture: DeltaGenerator
    drawn: bool = False


def _pick() -> tuple[Scenario, dict[str, Any]] | None:
    """The desk to be moved, and the changes to its file with which it is served."""
    files: list[Path | None] = list(scenario_files())
    if os.environ.get(DESK):
        files.insert(0, None)
    names = ["The desk that runs here" if path is None else path.stem for path in files]
    start = 0 if None in files else names.index("baseline") if "baseline" in names else 0
    at = st.selectbox("Desk", range(len(files)), index=start, format_func=lambda k: line(names[k]))
    base = _load(files[at])
    if base is not None and base[0].question:
        st.caption(escaped(base[0].question))
    return base


def _load(path: Path | None) -> tuple[Scenario, dict[str, Any]] | None:
    from twin.common.errors import ScenarioError
    from twin.scenario.changes import parse_change
    from twin.scenario.file import load

    texts = json.loads(os.environ.get(DESK_CHANGES) or "[]") if path is None else []
    try:
        own = dict(parse_change(text) for text in texts)
        return load(path or Path(os.environ[DESK]), own), own
    except ScenarioError as error:
        say(error)
        return None


@st.cache_resource(max_entries=4, show_spinner=False)
def _made(key: str, _base: Scenario) -> MovedDesk:
    from twin.experiments.same_customers import SameCustomers

    return MovedDesk(SameCustomers(_base))


def _ready(base: Scenario) -> MovedDesk | None:
    """The desk, with its engine compiled where one can be; what the visitor should know is said."""
    from twin.common.errors import ScenarioError
    from twin.desk.compiled.coverage import why_not
    from twin.desk.engines import INSTALL, has_numba
    from twin.experiments.same_customers import TooMuch

    reason = why_not(base)
    if reason is not None:
        st.info(f"The compiled engine does not cover {escaped(reason)}: this desk is played on "
                "SimPy, which takes some seconds.")  # fmt: skip
    elif not has_numba():
        st.info(f"This desk is played on SimPy, which takes some seconds. The compiled engine "
                f"answers in less than one: {escaped(INSTALL)}.")  # fmt: skip
    else:
        _engine_ready()
    try:
        return _made(f"{base._path}: {base.model_dump_json()}", base)
    except (ScenarioError, TooMuch) as error:
        say(error)
        return None


@st.cache_resource(show_spinner="Getting the engine ready; the first time on a machine it is "
                                "compiled, which takes half a minute ...")  # fmt: skip
def _engine_ready() -> None:
    """Load the compiled engine; compile it in another process, so that this one serves on."""
    from twin.desk.compiled.code import is_kept
    from twin.desk.engines import ready

    if not is_kept():
        code = "from twin.desk.engines import ready; ready()"
        path = str(Path(twin.__file__).resolve().parents[1])
        # Where it fails, or nothing can be kept, it is compiled here.
        with contextlib.suppress(subprocess.TimeoutExpired, OSError):
            subprocess.run(
                [sys.executable, "-P", "-c", code],
                check=False,
                timeout=_COMPILE_S,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
            )
    ready()


def _sliders(base: Scenario) -> dict[str, Any]:
    """Draw a slider a lever; the changes of those that were moved."""
    from twin.experiments import levers

    # With a number in their names: to start again makes new ones.
    turn = st.session_state.get("staffing turn", 0)
    at = f"{base._path}:{base.name}:{turn}"
    own = base.arrivals.scale
    most = levers.most_load(base)
    load = st.slider("Load", 0.0, most, min(own, most), 0.05, key=f"load {at}",
                     help="Tickets arrive this many times as often (arrivals.scale).")  # fmt: skip
    heads = {lever: _slider(lever, at) for lever in levers.levers(base)}
    moved = levers.changes(base, heads, load)
    if st.button("Start again", icon=":material/restart_alt:", disabled=not moved):
        st.session_state["staffing turn"] = turn + 1
        st.rerun()
    return moved


def _slider(lever: Lever, at: str) -> float:
    step = 1 if float(lever.value).is_integer() else 0.5
    kind = type(step)
    return float(
        st.slider(
            escaped(lever.name), kind(lever.least), kind(lever.most), kind(lever.value), step,
            key=f"heads {lever.pool} {lever.shift} {at}",
        )
    )  # fmt: skip


def _varied(base: Scenario, moved: dict[str, Any]) -> Scenario | None:
    from twin.common.errors import ScenarioError

    try:
        return base.vary(moved, name=base.name) if moved else base
    except ScenarioError as error:
        say(error)
        return None


def _rounds(quick: SameCustomers, setting: Scenario) -> Generator[Answer]:
    """Figures after a few replications, and better ones, for as long as there is a place."""
    with _PLACES.pass_through():
        yield from quick.rounds(setting)


def _first(answers: Iterator[Answer]) -> Answer | None:
    """The first figures; None where there are none, after the page has said why."""
    from twin.common.errors import ScenarioError, TwinError

    try:
        return next(answers)
    except Busy:
        st.warning("Others are waiting for their figures at the moment. Please move the slider "
                   "again in a few seconds.")  # fmt: skip
    except ScenarioError as error:
        say(error)
    except TwinError as error:
        st.error(escaped(str(error)))
    return None


def _show_answer(places: _Places, engine: str, answer: Answer, day: str) -> None:
    places.said.caption(_said(engine, answer))
    with places.table.container():
        _figures(answer)
    # It takes as long as some replications: for the rough figures, and for the last.
    if not places.drawn or answer.last:
        with places.picture.container():
            _picture(answer, day)
        places.drawn = True


def _said(engine: str, answer: Answer) -> str:
    name = "the compiled engine" if engine == "compiled" else "SimPy"
    more = "" if answer.last else "; better ones follow"
    return (f"From {answer.replications} replications, the same customers for all settings; "
            f"{answer.took_s:.1f} s on {name}{more}. ± and brackets: 95 % intervals.")  # fmt: skip


def _figures(answer: Answer) -> None:
    from twin.common.text import interval, label
    from twin.experiments.display import figure_rows
    from twin.experiments.same_customers import BASE, FIGURES, MOVED

    names = [BASE] if answer.differences is None else [BASE, MOVED]
    rows = figure_rows(answer.summary, FIGURES, names)
    head = ["figure", *names]
    if answer.differences is not None:
        head.append("difference")
        compared: list[dict[str, Any]] = answer.differences.to_dict("records")  # type: ignore[assignment]
        of = {label(row["kpi"]): interval(row) for row in compared}
        for row in rows:
            row.append(of.get(row[0], ""))
    show_table(head, rows, "Key figures", numbers=True)


def _picture(answer: Answer, day: str) -> None:
    from twin.report.pictures import drawn
    from twin.report.plots.staff import staff, staff_height

    week = answer.week if day == _DAYS[0] else answer.week[answer.week["day"] == day]
    if answer.differences is None:
        week = week.drop(columns="before")
    words = (
        "Above: agents on shift (grey) and busy (orange). Below: tickets that wait for an agent, "
        "now (blue)" + (" and as it is (dotted)." if "before" in week else ".")
    )
    which = "the week" if day == _DAYS[0] else day
    title, height = f"Staff and load over {which}", staff_height()
    show_picture(drawn("staff", title, words, lambda ax: staff(week, ax), height))
    st.caption(escaped(words))
