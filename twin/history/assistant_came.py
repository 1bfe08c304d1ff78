"""A desk of humans, and an assistant that came: the scenario of the change, and what it rests on.

What the history's texts tell is measured on tickets that came later than all that was learnt; what
they cannot tell is assumed, and says so beside the number.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.assistant.held_back import HeldBack
from twin.common.errors import Fault, ScenarioError
from twin.common.files import write_text
from twin.common.tables import shown_cell
from twin.common.toml import dump
from twin.demand.tickets import category_names
from twin.experiments.checks import check
from twin.history.calibrated_file import annotated
from twin.history.corpus_folder import CorpusFolder
from twin.history.fit.estimate import Estimate
from twin.scenario.file import load
from twin.scenario.model import Scenario

Data = dict[str, Any]

# Of all tickets those that an assistant answers, and of its answers those that solve (assumed: no
# published figure with its n and interval is known here; so are the ranges to try).
ANSWERS, SOLVES = 0.4, 0.75
ANSWERS_RANGE, SOLVES_RANGE = (0.2, 0.6), (0.5, 0.9)
# An answer in the right category where it is not known which article solves the ticket has quality
# one half (`twin.assistant.judging.judge.NO_ARTICLE`); so at best half of them solve.
_SOLVES_UNKNOWN = 0.5
# Customers with less patience than that wait on the line.
_ON_THE_LINE_S = 3600.0
_LISTEN, _TALK, _ASKS_ON = "20s", "60s", "30s"


@dataclass(frozen=True)
class Assumed:
    """Numbers that nobody measured.

    Attributes
    ----------
    answers : float
        Share of the tickets that the assistant answers; the others go to agents at once. Not used
        where texts tell it.
    solves : float or None
        Share of its answers in the right category that solve the ticket.
    """

    answers: float = ANSWERS
    solves: float | None = None


@dataclass(frozen=True)
class AssistantCame:
    """An assistant on a desk of humans.

    Attributes
    ----------
    data : dict
        What a scenario changes that extends the desk's; its paths are as seen from here.
    estimates : tuple of Estimate
        What its numbers rest on.
    said : tuple of str
        Sentences that stand at the head of the file.
    """

    data: Data
    estimates: tuple[Estimate, ...]
    said: tuple[str, ...]


def assistant_came(
    desk: Scenario, corpus: CorpusFolder | None = None, assumed: Assumed | None = None
) -> AssistantCame:
    """Return the change by an assistant that answers first, on a desk of humans.

    Parameters
    ----------
    desk : Scenario
        As calibrated; without an assistant.
    corpus : CorpusFolder, optional
        Texts of its history. With articles the assistant is backend `embedded` on them, without a
        profile as accurate as it was on the texts.
    assumed : Assumed, optional

    Raises
    ------
    ScenarioError
        If the desk has an assistant, or is known by its statuses alone, or the corpus has other
        categories than the desk.
    """
    assumed = assumed or Assumed()
    _refuse(desk, assumed)
    where = str(desk._path or desk.name)
    said = [
        "An assistant answers first; what it is unsure of goes to agents at once, and who is not "
        "helped comes back to them.",
        "Above each number: measured (value, 95 % interval, n), or the word assumed.",
    ]
    customers, found = _customers(desk)
    data: Data = {"assistant": {"role": "full", "unsure": "handle"}, "customers": customers}
    if corpus is None:
        data["assistant"] |= {"backend": "profile", "profile": {"accuracy": 1.0, "quality": 1.0}}
        found += _from_nothing(data, assumed)
    else:
        measured = corpus.held_back()
        said += told(measured)
        if corpus.articles is not None:
            _same_categories(desk, corpus, where)
            found += _from_texts(data, corpus, measured, assumed)
        else:
            data["assistant"] |= {"backend": "profile", "profile": {"quality": 1.0}}
            found += _from_accuracy(data, measured, assumed)
            said.append("Without articles nothing tells what it would answer: see twin corpus.")
    if data["assistant"]["backend"] == "profile" and _on_the_line(desk):
        found += _spoken(data)
    said.append(
        "To see how far the assumed numbers matter, write more such files (twin assistant "
        "--answers --solves --out) and compare them all."
    )
    return AssistantCame(data, tuple(found), tuple(said))


def write_assistant(came: AssistantCame, base: Path, to: Path, replace_old: bool = False) -> None:
    """Write the scenario of an assistant that came, as a file that extends the desk's.

    Parameters
    ----------
    came : AssistantCame
    base : Path
        File of the desk.
    to : Path
    replace_old : bool
        Whether a file of that name may be replaced.

    Raises
    ------
    ScenarioError
        If the file is there already, or what was written cannot be played.
    OSError
        If it cannot be written.
    """
    refuse_taken(base, to, replace_old)
    question = "What if an assistant answered first?"
    head = [f"Question: {question}", "", *came.said]
    data = {"question": question, "extends": _seen_from(base, to), **came.data}
    for section, key in (("tickets", "corpus"), ("assistant", "knowledge")):
        if key in data.get(section, {}):
            path = _seen_from(Path(data[section][key]), to)
            data[section] = data[section] | {key: path}
    comments = {one.key: str(one) for one in came.estimates}
    lines = "".join(f"# {line}\n" if line else "#\n" for line in head)
    old = to.read_bytes() if to.exists() else None
    write_text(to, f"{lines}{annotated(dump(data), comments)}\n")
    try:
        check(load(to))
    except BaseException:
        to.unlink()
        if old is not None:
            to.write_bytes(old)
        raise


def refuse_taken(base: Path, to: Path, replace_old: bool) -> None:
    """Refuse a file that is there, and the desk's own.

    Raises
    ------
    ScenarioError
    """
    if to.exists() and base.exists() and to.samefile(base):
        raise ScenarioError(str(to), [Fault("", "is the desk itself; name another file")])
    if to.is_dir():
        raise ScenarioError(str(to), [Fault("", "is a folder; name a file")])
    if to.exists() and not replace_old:
        hint = "name another file, or replace it with --replace"
        raise ScenarioError(str(to), [Fault("", "is there already", hint=hint)])
    to.parent.mkdir(parents=True, exist_ok=True)


def told(measured: HeldBack) -> list[str]:
    """Sentences on what the texts of a history tell of an assistant."""
    lines = []
    for figure, words in (
        ("category right", "names the right category"),
        ("sure enough to answer", "is sure enough to answer (its threshold was chosen before)"),
        ("category right, where sure", "is right among those that it is sure of"),
    ):
        if measured.value(figure)[3]:
            share = _with_interval(measured.value(figure))
            lines.append(f"On texts that came later than all it learnt, it {words}: {share}.")
    return lines


def of_statuses(desk: Scenario, corpus: CorpusFolder | None) -> list[str]:
    """Sentences on what can be told of an assistant on a desk that is known by its statuses."""
    lines = [
        "This desk is known by its statuses alone: no scenario with an assistant is written.",
        "What cannot be told: how much sooner the other tickets are served, and how many agents "
        "less do. Its delays were measured as they are, whatever the load, so with less work they "
        "would be played as long as before. A history that tells when agents began and ended their "
        "work (a log of calls, an event log with starts, ends and agents) would tell it.",
    ]
    if corpus is None:
        return [*lines, "What can be told takes texts: see twin corpus."]
    measured = corpus.held_back()
    share, low, high, n = measured.value("sure enough to answer")
    right = measured.value("category right, where sure")[0]
    lines += ["What can be told:", *told(measured)]
    if n:
        lines.append(
            f"So of 100 tickets {100 * share:.0f} ({100 * low:.0f} to {100 * high:.0f}) would get "
            f"an answer at once and {100 * (1 - share):.0f} would go to people as now; of the "
            f"answers at least {100 * (1 - right):.0f} in 100 would be wrong, and come back."
            if not math.isnan(right)
            else f"So none of 100 tickets would get an answer: it is sure of none (n {n:,})."
        )
    lines.append("How many of its answers solve the ticket, texts do not tell.")
    return lines


def _refuse(desk: Scenario, assumed: Assumed) -> None:
    faults = []
    for name, share in (("--answers", assumed.answers), ("--solves", assumed.solves)):
        if share is not None and not 0 <= share <= 1:
            faults.append(Fault(name, "must lie between 0 and 1", share))
    if desk.assistant.role != "off":
        faults.append(Fault("assistant.role", "there is an assistant already", desk.assistant.role))
    if desk.workflow is not None:
        faults.append(Fault("workflow", "a desk known by its statuses cannot have an assistant"))
    if faults:
        raise ScenarioError(str(desk._path or desk.name), faults)


def _customers(desk: Scenario) -> tuple[Data, list[Estimate]]:
    """Customers who are not helped: how many come back, and when."""
    customers = desk.customers
    given = customers.model_fields_set
    data: Data = {"solved": {}}
    found = []
    if "reopen_rate" not in given:
        data["reopen_rate"] = customers.reopen_rate
        why = "of who is not helped by it, the share who ask an agent; the others are lost"
        found.append(_assumed("customers.reopen_rate", customers.reopen_rate, why))
    if "reopen_delay" not in given and _on_the_line(desk):
        data["reopen_delay"] = _ASKS_ON
        why = "who waits on the line asks for an agent so soon after its answer"
        found.append(_assumed("customers.reopen_delay", 30.0, why, "s"))
    elif "reopen_delay" not in given:
        data["reopen_delay"] = {"distribution": "lognormal", "mean": "4h", "cv": 1.5}
        why = "who is not helped comes back so long after its answer"
        found.append(_assumed("customers.reopen_delay", 4 * 3600.0, why, "s"))
    return data, found


def _on_the_line(desk: Scenario) -> bool:
    """True if customers wait on the line, by their patience."""
    patience = desk.customers.patience
    return patience is not None and patience.mean_value() < _ON_THE_LINE_S


def _from_nothing(data: Data, assumed: Assumed) -> list[Estimate]:
    """An assistant of which nothing is known."""
    threshold = _unsure(data, assumed.answers)
    low, high = (round(1 - share, 4) for share in reversed(ANSWERS_RANGE))
    solves = SOLVES if assumed.solves is None else assumed.solves
    data["customers"]["solved"] = {"assistant": solves}
    return [
        _assumed("assistant.confidence_threshold", threshold,
                 f"it answers {_percent(assumed.answers)} of the tickets, all others go to agents "
                 f"at once; try {low:g} to {high:g}"),
        _assumed("assistant.profile.accuracy", 1.0,
                 "wrong answers are those that do not solve, whatever their category"),
        _solves(solves, SOLVES_RANGE),
    ]  # fmt: skip


def _from_accuracy(data: Data, measured: HeldBack, assumed: Assumed) -> list[Estimate]:
    """An assistant as sure and as right as on the texts, without articles to answer from."""
    share, low, high, n = measured.value("sure enough to answer")
    threshold = _unsure(data, share)
    found = [Estimate("assistant.confidence_threshold", threshold, "", 1 - high, 1 - low, n,
                      "share of later texts of which it is not sure enough")]  # fmt: skip
    right, low, high, n = measured.value("category right, where sure")
    data["assistant"]["profile"]["accuracy"] = round(right, 4) if n else 1.0
    if n:
        found.append(Estimate("assistant.profile.accuracy", right, "", low, high, n,
                              "right among the later texts that it is sure of"))  # fmt: skip
    solves = SOLVES if assumed.solves is None else assumed.solves
    data["customers"]["solved"] = {"assistant": solves}
    return [*found, _solves(solves, SOLVES_RANGE)]


def _from_texts(
    data: Data, corpus: CorpusFolder, measured: HeldBack, assumed: Assumed
) -> list[Estimate]:
    """An assistant that reads the history's later texts, and answers from the articles."""
    texts, threshold = corpus.corpus(), measured.threshold
    data["tickets"] = {"corpus": str(corpus.tickets)}
    data["assistant"] |= {
        "backend": "embedded",
        "knowledge": str(corpus.articles),
        "confidence_threshold": threshold,
    }
    if corpus.rest in texts.categories:
        data["assistant"]["human_categories"] = [corpus.rest]
    right = _with_interval(measured.value("category right, where sure"))
    why = f"chosen on earlier texts; on later ones right so often: {right}"
    found = [Estimate("assistant.confidence_threshold", threshold, n=measured.learnt, method=why)]
    known = measured.value("the right article among 3")[3]
    if known:
        solves = 0.95 if assumed.solves is None else assumed.solves
        data["customers"]["solved"] = {"assistant": solves}
        note = f"the judge knows the article of {known:,} held-back tickets, and marks by it"
        return [*found, _assumed("customers.solved.assistant", solves, f"at the best mark; {note}")]
    given = _SOLVES_UNKNOWN if assumed.solves is None else assumed.solves
    # All answers in the right category have the quality of one half.
    solves = min(given / _SOLVES_UNKNOWN, 1.0)
    data["customers"]["solved"] = {"assistant": round(solves, 4)}
    why = (
        f"{_percent(min(given, _SOLVES_UNKNOWN))} of its answers in the right category solve: "
        "which article solves which ticket is not known, so each is marked with one half "
        "(fill in the column article of the corpus); try 0.5 to 1"
    )
    return [*found, _assumed("customers.solved.assistant", solves, why)]


def _unsure(data: Data, answers: float) -> float:
    """Make a profile answer a share of the tickets: its confidence is even between 0 and 1."""
    even = {"distribution": "uniform", "low": 0.0, "high": 1.0}
    data["assistant"]["profile"] |= {"confidence_right": even, "confidence_wrong": even}
    threshold = round(1 - answers, 4)
    data["assistant"]["confidence_threshold"] = threshold
    return threshold


def _solves(share: float, tried: tuple[float, float]) -> Estimate:
    why = f"share of its answers that solve the ticket; try {tried[0]:g} to {tried[1]:g}"
    return _assumed("customers.solved.assistant", share, why)


def _spoken(data: Data) -> list[Estimate]:
    """The time that an assistant takes on the line."""
    data["assistant"]["profile"] |= {"categorize_latency": _LISTEN, "respond_latency": _TALK}
    # It takes any number of calls at once, each as long as it lasts.
    data["provider"] = {"plan": "unlimited", "timeout": "10min"}
    key = "assistant.profile"
    return [
        _assumed(f"{key}.categorize_latency", 20.0, "it listens so long before it hands on", "s"),
        _assumed(f"{key}.respond_latency", 60.0, "it talks so long to who it answers", "s"),
    ]


def _assumed(key: str, value: float, why: str, unit: str = "") -> Estimate:
    return Estimate(key, value, unit, method=why, assumed=True)


def _same_categories(desk: Scenario, corpus: CorpusFolder, where: str) -> None:
    """Both must know the same categories in the same order: else other customers would come."""
    own, texts = category_names(desk), corpus.corpus()
    names = tuple(texts.categories)
    if own == names:
        return
    gone = [shown_cell(name) for name in own if name not in names]
    new = [shown_cell(name) for name in names if name not in own]
    parts = [
        f"{what}: {', '.join(some[:3])}{' and others' if len(some) > 3 else ''}"
        for what, some in (("without texts", gone), ("only in the corpus", new))
        if some
    ]
    reason = f"has other categories than the corpus ({'; '.join(parts) or 'in another order'})"
    hint = "calibrate it with --corpus, so that both tell the same kinds of tickets"
    raise ScenarioError(where, [Fault("tickets.category_mix", reason, hint=hint)])


def _seen_from(path: Path, to: Path) -> str:
    return Path(os.path.relpath(path.resolve(), to.resolve().parent)).as_posix()


def _with_interval(figure: tuple[float, float, float, int]) -> str:
    value, low, high, n = figure
    return f"{_percent(value)} ({_percent(low)} to {_percent(high)}; n {n:,})"


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.3g} %"
