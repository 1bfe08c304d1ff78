"""Plays that take a while, with a bar: one at a time, ended when the visitor leaves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from twin.live.page.parts import escaped

T = TypeVar("T")
Progress = Callable[[float, int], None]

# One study at a time: two would only slow each other down, and the desk's page with them.
_PLAYING = threading.Lock()


def say(error: Exception) -> None:
    """Tell why a scenario cannot be played."""
    st.error("This scenario cannot be played:")
    st.text(str(error))


def with_bar(play: Callable[[Progress], T]) -> T | None:
    """The result of a play; None where there is none, after the page has said why.

    Parameters
    ----------
    play : callable
        Is given what `twin.run` takes as `progress`.
    """
    from twin.common.errors import ScenarioError
    from twin.experiments.run import Interrupted

    left: list[BaseException] = []
    bar = st.progress(0.0, "Getting ready: the assistant reads all tickets ...")

    def progress(done: float, of: int) -> None:
        try:
            bar.progress(done / of, f"{int(done)} of {of} replications played")
        except BaseException as stop:
            # Streamlit raises this when the page was left: end as Ctrl-C would.
            left.append(stop)
            raise KeyboardInterrupt from None

    if _PLAYING.locked():
        bar.progress(0.0, "Somebody else's desk is being played; yours is next ...")
    try:
        with _PLAYING:
            return play(progress)
    except Interrupted:
        raise left[0] from None
    except (ScenarioError, ValueError) as error:
        say(error)
    except OSError as error:
        st.error(f"The results could not be saved: {escaped(error.strerror or 'no reason given')}.")
    finally:
        bar.empty()
    return None
