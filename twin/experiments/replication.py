"""One replication, from demand to figures; what it raises is data."""

from __future__ import annotations

import contextlib
import re
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import pandas as pd

from twin.assistant.backends import build
from twin.assistant.live.settings import secrets
from twin.assistant.protocol import Assistant
from twin.common.errors import TwinError
from twin.demand.blocks import draw_in_blocks
from twin.demand.tickets import Demand, draw
from twin.desk.answers import ModelAnswers
from twin.desk.engines import ready
from twin.desk.names import Names
from twin.desk.served import AnsweredOnce
from twin.desk.simulation import simulate
from twin.experiments.shared import Shared, shared_by
from twin.experiments.streamed import play_streamed
from twin.experiments.versions import as_played
from twin.measures.figures import measured
from twin.measures.levels import levels
from twin.measures.sanity import checked, faults
from twin.records import export, storage
from twin.records.columns import ALWAYS_KEPT, RUN_TABLES, TABLES
from twin.records.tables import Columns, RunLog
from twin.scenario.model import Scenario

# Tickets of a block of a streamed run.
BLOCK = 20_000
# Scenarios for which what replications have in common is made ahead.
_MOST_PREPARED = 8


@dataclass(frozen=True)
class Played:
    """One replication: its log, its levels, its figures, and whether it adds up."""

    log: RunLog
    levels: pd.DataFrame
    # Of the tables kpis and sanity.
    figures: Columns
    checks: Columns

    @cached_property
    def kpis(self) -> pd.DataFrame:
        """Figures; see `twin.measure`."""
        return self.figures.frame()

    @cached_property
    def sanity(self) -> pd.DataFrame:
        """Checks of conservation and of Little's law; see `twin.measures.sanity.sanity`."""
        return self.checks.frame()

    def given(self, table: str) -> pd.DataFrame | Columns:
        """A table as it is there; see `RunLog.given`."""
        own: dict[str, pd.DataFrame | Columns]
        own = {"levels": self.levels, "kpis": self.figures, "sanity": self.checks}
        return own[table] if table in own else self.log.given(table)


def play(
    scenario: Scenario,
    replication: int = 0,
    at: Callable[[str], None] | None = None,
    engine: str = "simpy",
) -> Played:
    """Play one replication; a pure function of the scenario and the number.

    Parameters
    ----------
    scenario : Scenario
    replication : int
        0 is the first.
    at : callable, optional
        Told the stage that begins: draw, answer, simulate or measure.
    engine : str
        See `twin.simulate`.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> played = twin.play(desk, replication=3)
    >>> len(played.log.tickets) > 0, bool(played.sanity["ok"].all())
    (True, True)
    """
    at = at or (lambda stage: None)
    at("draw")
    scenario = as_played(scenario, replication)
    return _play(scenario, draw(scenario, replication), at, engine)


def _play(
    scenario: Scenario,
    demand: Demand,
    at: Callable[[str], None],
    engine: str = "simpy",
    with_levels: bool = True,
    figures: tuple[str, ...] = (),
    shared: Shared | None = None,
) -> Played:
    at("answer")
    assistant = models_of(scenario, demand, shared)
    at("simulate")
    log = simulate(scenario, demand, assistant, engine)
    at("measure")
    over_time = levels(log, scenario) if with_levels else storage.empty("levels")
    found = measured(log, scenario, figures or None)
    return Played(log, over_time, found, checked(log, scenario))


def models_of(
    scenario: Scenario, demand: Demand, shared: Shared | None
) -> Assistant | AnsweredOnce | None:
    """The assistant of a desk; None where humans work alone."""
    kept = None if shared is None else shared.models(scenario, demand)
    if kept is not None or scenario.assistant.role == "off":
        return kept
    return build(scenario, demand.categories, demand.corpus)


def _demand(scenario: Scenario, replication: int, shared: Shared | None) -> Demand:
    return draw(scenario, replication) if shared is None else shared.demand(scenario, replication)


def prepare(tasks: Sequence[Task]) -> None:
    """Make what replications have in common, so that copies of this process have it in memory.

    That is what they read, what the assistant has learned, and its answers to the texts. A fault of
    it is told by the replications.
    """
    scenarios = {id(task.scenario): task for task in tasks[::-1]}
    for task in list(scenarios.values())[:_MOST_PREPARED]:
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if task.stream:
                # Its tickets are never in memory all at once.
                ready()
                continue
            desk = as_played(task.scenario, task.replication)
            shared = shared_by(task.share, task.again)
            reads = desk.tickets.model_dump_json() + desk.assistant.model_dump_json()
            if shared is not None and not shared.is_first(reads):
                # Of a group of tasks, mostly all but one.
                continue
            demand = _demand(desk, task.replication, shared)
            models = models_of(desk, demand, shared)
            if desk.assistant.role != "off" and desk.assistant.backend == "embedded":
                models = AnsweredOnce.of(desk, demand, models)
                one, judge = models.assistants[0], models.judge
                ModelAnswers(one, desk, demand, judge, Names(), [], models.said).ask_ahead()
            if task.engine == "compiled":
                # What is compiled takes time to load, and much more to compile for the first time.
                ready()
                if shared is not None and shared.is_first(task.engine):
                    simulate(desk, demand, models, task.engine)


@dataclass(frozen=True)
class Task:
    """One replication to do, as it goes to a worker."""

    number: int
    scenario: Scenario
    replication: int
    folder: Path | None
    keep: bool
    event_log: bool
    engine: str = "simpy"
    # What it writes.
    tables: tuple[str, ...] = RUN_TABLES
    # Figures that are worked out; none named: all.
    figures: tuple[str, ...] = ()
    # Name of the group of tasks with which it shares demand and answers; empty: none.
    share: str = ""
    # Whether it is never in memory as a whole: see `twin.experiments.streamed`.
    stream: bool = False
    # Whether the replications of the group come again and again, each time with other settings.
    again: bool = False


@dataclass(frozen=True)
class Outcome:
    """Outcome of a replication: figures or a failure, never both."""

    number: int
    replication: int
    kpis: Columns | None = None
    sanity: Columns | None = None
    failure: pd.DataFrame | None = None
    log: tuple[RunLog, pd.DataFrame] | None = None
    notes: tuple[str, ...] = ()


def replicate(task: Task) -> Outcome:
    """Do a task; what it raises becomes a row of the table failures, warnings become notes."""
    stages = [""]
    demand: list[Demand] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            stages.append("draw")
            desk = as_played(task.scenario, task.replication)
            if task.stream:
                return _streamed(task, desk, stages.append, demand, caught)
            shared = shared_by(task.share, task.again)
            demand.append(_demand(desk, task.replication, shared))
            with_levels = task.keep or (task.folder is not None and "levels" in task.tables)
            at, figures = stages.append, task.figures
            played = _play(desk, demand[0], at, task.engine, with_levels, figures, shared)
            notes = [*played.log.notes, *faults(played.checks, task.replication)]
            if task.folder is not None:
                stages.append("save")
                notes += _save(task, played)
        notes += [_redact(str(warning.message), demand[0].texts) for warning in caught]
    except Exception as error:
        if task.folder is not None:
            # On a full disk it would take the room that the others need.
            with contextlib.suppress(OSError):
                storage.discard(task.folder, task.replication)
        failure = _failure(task, stages[-1], error, demand[0].texts if demand else ())
        return Outcome(task.number, task.replication, failure=failure)
    log = (played.log, played.levels) if task.keep else None
    return Outcome(
        task.number,
        task.replication,
        kpis=played.figures,
        sanity=played.checks,
        log=log,
        notes=tuple(dict.fromkeys(notes)),
    )


def _streamed(
    task: Task,
    desk: Scenario,
    at: Callable[[str], None],
    demand: list[Demand],
    caught: Sequence[warnings.WarningMessage],
) -> Outcome:
    """Do a task that is streamed; its demand is put into the list."""
    assert task.folder is not None
    flow = draw_in_blocks(desk, task.replication, BLOCK)
    demand.append(flow)
    found = play_streamed(desk, flow, task.folder, task.tables, at, _told.get())
    notes = [*found.notes, *faults(found.sanity, task.replication)]
    notes += [_redact(str(warning.message), flow.texts) for warning in caught]
    for table in ALWAYS_KEPT:
        storage.write_part(task.folder, table, task.replication, getattr(found, table))
    return Outcome(
        task.number,
        task.replication,
        kpis=found.kpis,
        sanity=found.sanity,
        notes=tuple(dict.fromkeys(notes)),
    )


_told: ContextVar[Callable[[float], None] | None] = ContextVar("told", default=None)


@contextlib.contextmanager
def telling(told: Callable[[float], None] | None) -> Iterator[None]:
    """Tell the share of a streamed replication that is done, while it is played in this process."""
    token = _told.set(told)
    try:
        yield
    finally:
        _told.reset(token)


def asks_live(task: Task) -> bool:
    """True if a task calls a live model, which takes the process that holds the recording."""
    return task.scenario.assistant.asks_live


def lost(task: Task) -> Outcome:
    """The outcome of a task under which every worker process died."""
    reason = "every worker process that took it on was killed (out of memory?)"
    failure = _failure(task, "", ChildProcessError(reason), ())
    return Outcome(task.number, task.replication, failure=failure)


def _save(task: Task, played: Played) -> list[str]:
    """Write all tables, kpis last; with the first replication what people and other tools read."""
    assert task.folder is not None
    notes = []
    if task.replication == 0:
        # Texts of customers are in them: of a corpus, or of the tickets that were recorded.
        texts = bool(task.scenario.tickets.corpus or task.scenario.arrivals.trace)
        notes += export.write_first(played.log, task.folder, task.tables, private=texts)
    if task.event_log:
        paths = storage.event_logs(task.folder, task.replication)
        export.write_event_log(played.log, task.scenario, paths)
    for table in task.tables:
        storage.write_part(task.folder, table, task.replication, played.given(table))
    return notes


def _failure(task: Task, stage: str, error: Exception, texts: Sequence[str]) -> pd.DataFrame:
    trace = "".join(traceback.format_exception(error))
    # The twin's own words hold none of theirs.
    own = isinstance(error, TwinError) and error.__cause__ is None
    hide = partial(_redact, texts=texts, parts=not own)
    row = {
        "scenario": task.scenario.name,
        "stage": stage,
        "type": type(error).__name__,
        "message": hide(str(error)),
        "traceback": hide(trace),
    }
    failure = pd.DataFrame({c.name: [row[c.name]] for c in TABLES["failures"]})
    if task.folder is not None:
        # If the disk failed, the failure cannot be saved either; it stays in memory.
        with contextlib.suppress(OSError):
            storage.write_part(task.folder, "failures", task.replication, failure)
    return failure


# A word, after what Python and JSON write for line ends and the like.
_WORD = re.compile(r"\\(?:[abfnrtv]|x[0-9a-f]{2}|u[0-9a-f]{4})|(\w+)")
_HIDDEN = "[ticket text]"


def _redact(message: str, texts: Sequence[str], parts: bool = True) -> str:
    """The message without customers' words and keys that some library may have put into it.

    Parameters
    ----------
    message : str
    texts : sequence of str
    parts : bool
        Also hide three words in a row of some text, which may be cut short, and its numbers.
    """
    # The longest first: a text may hold another. Python quotes texts in many messages.
    for text in sorted(filter(str.strip, texts), key=len, reverse=True):
        for words in (text, repr(text)[1:-1]):
            # Whole words only: "hi" must not be cut out of "while".
            pattern = rf"(?<!\w){re.escape(words)}(?!\w)"
            message = re.sub(pattern, _HIDDEN, message, flags=re.IGNORECASE)
    if parts:
        message = _without_parts(message, texts)
    for secret in secrets():
        message = message.replace(secret, "[key]")
    return message


def _without_parts(message: str, texts: Sequence[str]) -> str:
    rows, numbers = set(), set()
    for text in texts:
        words = re.findall(r"\w+", text.lower())
        rows |= set(zip(words, words[1:], words[2:], strict=False))
        numbers |= {word for word in words if len(word) > 3 and re.search(r"\d", word)}
    found = [match for match in _WORD.finditer(message) if match[1]]
    words = [match[1].lower() for match in found]
    hidden = [word in numbers for word in words]
    for k, row in enumerate(zip(words, words[1:], words[2:], strict=False)):
        if row in rows:
            hidden[k : k + 3] = [True] * 3
    kept, end = [], 0
    for k, match in enumerate(found):
        if hidden[k]:
            # Signs between two hidden words belong to them.
            kept.append("" if k and hidden[k - 1] else message[end : match.start()] + _HIDDEN)
            end = match.end()
    return "".join(kept) + message[end:]
