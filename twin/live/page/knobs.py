"""The knobs of the page What-if, and the scenario file that holds their changes."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from twin.common.files import unmakeable
from twin.live.page.parts import escaped, line, scenarios_folder
from twin.scenario.dated import dated_shifts

if TYPE_CHECKING:
    from twin.scenario.model import Scenario

_MOST_EXTRA = 20


def knobs(base: Scenario) -> dict[str, Any]:
    """Draw the knobs; each stands where the scenario has it.

    Returns
    -------
    dict of str to value
        Key path and new value of each knob that was moved, as for `Scenario.vary`.
    """
    found: dict[str, Any] = {}
    # With the scenario in their names: another scenario, other knobs.
    at = f"{base._path}:{base.name}"
    left, right = st.columns(2)
    with left:
        found |= _load(base, at)
        for name in base.agents:
            found |= _agents(base, name, at)
    if base.assistant.role != "off":
        with right:
            found |= _assistant(base, at)
    if found:
        said = ", ".join(f"{key} = {value}" for key, value in found.items())
        st.caption(f"Changed: {escaped(said)}")
    return found


def _load(base: Scenario, at: str) -> dict[str, Any]:
    was = base.arrivals.scale
    now = st.slider(
        "Load", 0.0, max(4.0, round(2 * was, 1)), was, 0.05, key=f"load {at}",
        help="Tickets arrive this many times as often (arrivals.scale).",
    )  # fmt: skip
    return {} if now == was else {"arrivals.scale": now}


def _agents(base: Scenario, name: str, at: str) -> dict[str, Any]:
    pool = base.agents[name]
    if pool.roster is not None:
        heads = max((shift.heads for shift in dated_shifts(pool, base)), default=0)
    else:
        heads = pool.heads or max((shift.heads for shift in pool.shifts or []), default=0)
    heads = math.ceil(heads)
    was = pool.extra_heads
    now = st.slider(
        f"Agents more or less: {escaped(name)}", min(was, -heads), max(was, 0) + _MOST_EXTRA, was,
        key=f"agents {name} {at}",
        help=f"Added to every shift (agents.{escaped(name)}.extra_heads); the largest has {heads}.",
    )  # fmt: skip
    return {} if now == was else {f"agents.{name}.extra_heads": now}


def _assistant(base: Scenario, at: str) -> dict[str, Any]:
    from twin.assistant import catalogue

    settings = base.assistant
    found: dict[str, Any] = {}
    names = list(dict.fromkeys([settings.model, *catalogue.models(base.models)]))
    model = st.selectbox(
        "Model", names, format_func=line, key=f"model {at}",
        help="Its speed, price and limits (assistant.model).",
    )  # fmt: skip
    if model != settings.model:
        found["assistant.model"] = model
    threshold = st.slider(
        "Confidence threshold", 0.0, 1.0, settings.confidence_threshold, 0.05,
        key=f"threshold {at}",
        help="Below this confidence a person categorizes (assistant.confidence_threshold).",
    )  # fmt: skip
    if threshold != settings.confidence_threshold:
        found["assistant.confidence_threshold"] = threshold
    retrieval = st.toggle(
        "Look up knowledge articles", settings.retrieval, key=f"retrieval {at}",
        help="Retrieval, RAG (assistant.retrieval).",
    )  # fmt: skip
    if retrieval != settings.retrieval:
        found["assistant.retrieval"] = retrieval
    return found


def save(base: Scenario, changes: dict[str, Any]) -> None:
    """Offer the changes as a scenario file."""
    if not changes or base._path is None:
        return
    with st.expander("Save as a scenario file"):
        name = st.text_input("Name", f"{base._path.stem}-what-if", max_chars=80)
        question = st.text_input("Question that it answers", max_chars=200)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._+=,@-]*", name):
            st.error("A name starts with a letter or a digit; letters, digits, spaces and "
                     r"\.\_\+\=\,\@\- may follow.")  # fmt: skip
            return
        if reason := unmakeable(name):
            st.error(f"The name {reason}.")
            return
        path = scenarios_folder() / f"{name}.toml"
        text = file_text(base._path, path, changes, question)
        st.code(text, language=None, wrap_lines=True)
        if st.button("Save", help=f"As {escaped(str(path))}; nothing is overwritten."):
            _write(path, text)


def file_text(base: Path, path: Path | None, changes: dict[str, Any], question: str) -> str:
    """A scenario file that extends another and holds only the changes.

    Without a path of its own it may be put anywhere on this machine.

    Examples
    --------
    >>> print(file_text(Path("s/base.toml"), Path("s/busy.toml"), {"arrivals.scale": 2.0}, "Busy?"))
    question = "Busy?"
    extends = "base.toml"
    <BLANKLINE>
    [arrivals]
    scale = 2.0
    <BLANKLINE>
    """
    from twin.common.toml import dump

    beside = path is not None and base.resolve().parent == path.resolve().parent
    data: dict[str, Any] = {"question": question} if question else {}
    data["extends"] = base.name if beside else str(base.resolve())
    for key, value in changes.items():
        *tables, last = key.split(".")
        node = data
        for table in tables:
            node = node.setdefault(table, {})
        node[last] = value
    return dump(data) + "\n"


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        st.error("There is a file of this name already; choose another.")
    except OSError as error:
        st.error(f"The file could not be written: {escaped(error.strerror or 'no reason given')}.")
    else:
        st.success(f"Saved as {escaped(str(path))}.")
