"""The page of single attempts: prompt, articles, answer, marks and times of each, to be searched.

All texts are a customer's or a model's: they are escaped, and the page's own script only hides and
shows what is there. Without it everything is shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from twin.assistant.recorded.attempts import JUDGED, Attempts
from twin.common.files import write_text
from twin.common.html import Html, table, tag
from twin.common.text import amount
from twin.report import frame

# A page with more than this is slow to open; the rest is left out, and the page says so.
MOST = 2000
# What can be chosen, beside the model: value of an attempt's data, and the words for it.
_OUTCOMES = {
    "": "all",
    "solved": "solved",
    "unsolved": "not solved",
    "wrong": "in a wrong category",
    "unknown": "not known",
}


def write(several: Sequence[Attempts], path: str | Path, sources: str) -> Path:
    """Write the page of attempts; an older one is replaced. Texts of customers are in it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page(several, sources), private=True)
    return path


def page(several: Sequence[Attempts], sources: str) -> str:
    """The page of attempts as HTML; see `write`."""
    rows = [(one, row) for one in several for row in one.table.to_dict("records")]
    # All attempts at a ticket stand together, whatever model they are of.
    rows.sort(key=lambda both: (both[1]["ticket"], both[0].name, both[1]["sample"]))
    shown = rows[:MOST]
    said = f"{len(shown):,} attempts at {len({row['ticket'] for _, row in shown}):,} tickets."
    if len(rows) > MOST:
        said += f" The page holds the first {MOST:,} of {len(rows):,}."
    models = {"": "all"} | {one.name: one.name for one in several}
    choices = {"model": ("Model ", models), "outcome": ("Outcome ", _OUTCOMES)}
    parts: list[frame.Part] = [
        ("search", "Search", [tag("p", said), search("attempts", choices)]),
        ("attempts", "Attempts", [_attempt(one, row) for one, row in shown]),
    ]
    return frame.frame("Single tickets", [], parts, sources, search_script())


def search_script() -> str:
    """The script of pages with `search`."""
    return (resources.files("twin.report") / "attempts.js").read_text(encoding="utf-8")


def search(what: str, choices: dict[str, tuple[str, dict[str, str]]]) -> Html:
    """A form that searches the entries of a part of the page, each a ``details``.

    Parameters
    ----------
    what : str
        Name of the part.
    choices : dict of str to (str, dict of str to str)
        By the name of the entries' data: a label, and words for each value; "" is all of them.
    """
    return tag(
        "form",
        tag("label", "Text ", tag("input", type="search", id="words", autocomplete="off")),
        *(tag("label", label, _choice(name, of)) for name, (label, of) in choices.items()),
        tag("p", "", id="shown", role="status"),
        class_="filters",
        id="filters",
        data_what=what,
    )


def _choice(name: str, options: dict[str, str]) -> Html:
    return tag(
        "select", [tag("option", words, value=value) for value, words in options.items()], id=name
    )


def outcome(row: dict[Any, Any]) -> str:
    """Outcome of an attempt, of those that can be chosen."""
    if row["right"] == 0:
        return "wrong"
    if math.isnan(row["solved"]):
        return "unknown"
    return "solved" if row["solved"] else "unsolved"


def _attempt(one: Attempts, row: dict[Any, Any]) -> Html:
    went = outcome(row)
    head = first_words(row["ticket"])
    return tag(
        "details",
        tag("summary", tag("strong", _OUTCOMES[went]), f" · {one.name}, attempt {row['sample'] + 1}"
            f" · {head}"),
        tag("div", list(_inside(one, row)), class_="attempt"),
        data_model=one.name,
        data_outcome=went,
    )  # fmt: skip


def first_words(text: str) -> str:
    """The first words of a text, in a line."""
    line = " ".join(text.split())
    return line if len(line) <= 90 else f"{line[:89]}…"


def _inside(one: Attempts, row: dict[Any, Any]) -> Iterator[Html]:
    yield tag("h3", "Ticket")
    yield tag("pre", row["ticket"])
    yield tag("h3", "Answer")
    yield tag("pre", row["answer"] or "(none was written)")
    marks = [
        ("category", f"{row['category'] or '-'} (true: {row['truth'] or 'not known'})"),
        ("confidence", mark(row["confidence"])),
        ("the offline judge", mark(row["quality"])),
        *((name, mark(row[f"{JUDGED}{name}"])) for name in one.judges),
        ("people", mark(row["quality_by_people"])),
        ("articles", ", ".join(row["articles"]) or "none"),
    ]
    yield table(["mark", "value"], marks, "Marks")
    yield _timeline(one, row)
    for step, key in (("categorize", row["categorize_key"]), ("respond", row["respond_key"])):
        if key:
            yield prompts(f"Prompt to {step}", one.requests.get(key, []))


def prompts(title: str, messages: Sequence[dict[str, str]]) -> Html:
    """A prompt, to be unfolded."""
    words = [
        tag("h4", str(message.get("role", ""))) + tag("pre", message.get("content", ""))
        for message in messages
    ]
    return tag("details", tag("summary", title), [Html(w) for w in words])


def _timeline(one: Attempts, row: dict[Any, Any]) -> Html:
    calls = one.calls.set_index("key")
    rows = []
    for key in (row["categorize_key"], row["respond_key"]):
        if key in calls.index:
            call = calls.loc[key]
            rows.append([
                call["step"], str(call["recorded"])[:23].replace("T", " ") or "-",
                amount(float(call["latency_s"]), "s"), amount(float(call["queue_s"]), "s"),
                amount(float(call["first_token_s"]), "s"), f"{call['at_once'] or '-'}",
                f"{call['tokens_in']:,}", f"{call['tokens_out']:,}", key[:12],
            ])  # fmt: skip
    head = ["step", "answered", "took", "in the queue", "first token", "calls at once",
            "tokens in", "tokens out", "key"]  # fmt: skip
    return table(head, rows, f"Timeline of sample {row['sample']}", True)


def mark(value: float) -> str:
    """A mark from 0 to 1 in words."""
    return "-" if math.isnan(value) else f"{value:.2f}"
