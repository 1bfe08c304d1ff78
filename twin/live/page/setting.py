"""A setting of the page Staffing in the hands of a visitor: taken away, or checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import streamlit as st

from twin.live.page import knobs
from twin.live.page.parts import escaped, show_table
from twin.live.page.playing import Progress, with_bar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twin.experiments.comparison import Comparison
    from twin.experiments.same_customers import SameCustomers
    from twin.scenario.model import Scenario

# Replications of a check: fewer of a large desk, so that nobody waits for minutes.
_CHECKED, _FEWEST, _TICKETS = 20, 6, 1_000_000


@dataclass
class MovedDesk:
    """A desk that is moved, for all visitors: its settings, and luck that nobody has seen."""

    quick: SameCustomers
    luck: Iterator[int] = field(default_factory=lambda: count(1))


def take_away(
    base: Scenario, setting: Scenario, own: dict[str, Any], moved: dict[str, Any]
) -> None:
    """Offer the setting as a file, and as a command."""
    from twin.common.text import command
    from twin.experiments.levers import as_tables
    from twin.scenario.changes import as_change

    if base._path is None:
        return
    tables = _as_read(base, own) | as_tables(setting, moved)
    name = f"{base._path.stem}-staffing.toml"
    st.download_button(
        "Download as a scenario file", knobs.file_text(base._path, None, tables, ""), name,
        "application/toml", on_click="ignore", icon=":material/download:",
        help="For this machine: it extends the file of the desk.",
    )  # fmt: skip
    knobs.save(base, tables)
    with st.expander("The same on the command line"):
        sets = [part for key, value in (own | moved).items()
                for part in ("--set", as_change(key, value))]  # fmt: skip
        st.code(command("twin", "run", base._path, *sets), language=None, wrap_lines=True)


def _as_read(base: Scenario, own: dict[str, Any]) -> dict[str, Any]:
    """Changes with which a desk is served, as its data has them: files by their whole paths."""
    data, found = base.as_data(), {}
    for key, value in own.items():
        node: Any = data
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        found[key] = value if node is None else node
    return found


def offer_check() -> bool:
    """Say why there is no verdict yet; whether the visitor asks for one."""
    st.caption(
        "Who moves sliders until a figure looks good has chosen it by luck, too. So these "
        "differences have no verdict: a check plays both desks on customers nobody has seen."
    )
    return st.button("Check on fresh customers", icon=":material/fact_check:")


def check(desk: MovedDesk, setting: Scenario, play: bool) -> None:
    """Show the verdict on a setting, on customers on whom it was not chosen, if there is one.

    Parameters
    ----------
    desk : MovedDesk
    setting : Scenario
    play : bool
        Whether to play a check now.
    """
    from twin.experiments.checks import expected_tickets
    from twin.experiments.same_customers import afresh

    quick = desk.quick
    which = setting.model_dump_json()
    if play:
        checks = st.session_state.get("staffing checks", 0) + 1
        st.session_state["staffing checks"] = checks
        size = int(min(max(_TICKETS // max(expected_tickets(setting), 1.0), _FEWEST), _CHECKED))

        def compared(progress: Progress) -> Comparison:
            return afresh(quick.base, setting, checks, next(desk.luck), size, progress=progress)

        found = with_bar(compared)
        if found is not None:
            st.session_state["staffing checked"] = which, checks, found
    kept = st.session_state.get("staffing checked")
    if kept is not None and kept[0] == which:
        _verdicts(*kept[1:])


def _verdicts(number: int, found: Comparison) -> None:
    from twin.common.text import amount, interval, label, size_in
    from twin.experiments.same_customers import BASE, MOVED
    from twin.stats.verdicts import EQUAL, OPEN, UNKNOWN

    rows = []
    for row in found.table.to_dict("records"):
        was, now = (amount(row[k], row["unit"], size_in(row)) for k in ("baseline", "what_if"))
        said = row["verdict"]
        if said not in (EQUAL, UNKNOWN):
            said = f"{'cannot tell' if said == OPEN else said}: {interval(row)}"  # type: ignore[arg-type]
        rows.append([label(row["kpi"]), was, now, said])
    show_table(["figure", BASE, MOVED, "verdict"], rows, "Checked on fresh customers", numbers=True)
    st.caption(
        f"Check {number} of this visit, {int(found.table['replications'].max())} replications; "
        "all checks of a visit together call a difference that is none with a chance of at most "
        f"5 %, so later ones ask for more. This one: {escaped(found.method)}."
    )
