"""A corpus from a desk's own tickets: texts of a history, as the twin reads them.

Earlier tickets are there to learn from, later ones are what customers send; no text, nor one nearly
like it, is on both sides. Categories are those that the desk gave itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.assistant.knowledge.embedding import embed
from twin.common.errors import Fault, ScenarioError
from twin.common.markup import plain
from twin.common.tables import same_form, shown_cell
from twin.history.desk_history import DeskHistory
from twin.history.masks import masked

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Columns that tell categories, in the order in which they are tried.
BY = ("category", "tags", "group", "channel")
# Fewer earlier tickets tell an assistant too little of a category (assumed).
FLOOR = 30
# Share of the tickets, the latest, that are held back (assumed).
HELD_BACK = 0.3
OTHER = "other"
# Cosine of embeddings from which texts are nearly alike. In a public set of 13,083 questions to a
# bank, pairs from .95 on ask the same in other words (10 looked at).
NEARLY_ALIKE = 0.95
# More to learn from would take minutes for each run, and tell little more.
MOST_TEXTS = 20_000
# A tag of more tickets than that share tells nothing of their kind.
_COMMONEST_TAG = 0.5
_LONGEST = 4_000
_BLOCK = 2_000
_QUOTED = re.compile(r"^\s*>")
_LETTERS = re.compile(r"[\W\d_]+")


@dataclass(frozen=True)
class OwnCorpus:
    """A corpus made of a history.

    Attributes
    ----------
    tickets : DataFrame
        A row a text: text, category, article (blank: it is not known), split, and priority where
        all are told. Earlier ones first.
    categories : DataFrame
        Of each ticket of the history, with a text or without: key (the desk's own number) and
        category.
    by : str
        One of `BY`.
    rest : str
        Name of the category of all that belong to none of the others.
    split : date
        Day on which what is held back begins.
    counts : DataFrame
        Texts by category: category, train, desk.
    notes : tuple of str
        Sentences on what was left out and why; none holds a text.
    """

    tickets: pd.DataFrame
    categories: pd.DataFrame
    by: str
    rest: str
    split: date
    counts: pd.DataFrame
    notes: tuple[str, ...]


def own_corpus(
    history: DeskHistory,
    by: str = "",
    floor: int = FLOOR,
    held_back: float = HELD_BACK,
    since: date | None = None,
) -> OwnCorpus:
    """Make a corpus of a history that was imported with its texts.

    Parameters
    ----------
    history : DeskHistory
    by : str
        Column that tells categories, one of `BY`; by default the first that tells two kinds or
        more.
    floor : int
        Categories with fewer earlier texts become "other".
    held_back : float
        Share of the tickets, the latest, that are held back.
    since : date, optional
        First day of what is held back, instead.

    Raises
    ------
    ScenarioError
        If there are no texts, or too few of each category.
    """
    notes: list[str] = []
    texts = _texts(history, notes)
    tickets = history.log.tickets.set_index("ticket_id")
    arrived = tickets["arrived_s"].reindex(texts["ticket_id"]).to_numpy(dtype=np.float64)
    order = np.argsort(arrived, kind="stable")
    texts, arrived = texts.iloc[order].reset_index(drop=True), arrived[order]
    split = _split(history, arrived, held_back, since)
    train = _before(history, arrived, split)
    if train.all() or not train.any():
        where = "all" if train.all() else "none"
        reason = f"{where} of its texts came before {split}, so nothing could be "
        reason += "held back" if train.all() else "learnt"
        raise _fault("the split", reason, "give another day with --since")
    kept = _apart(texts["text"].tolist(), train, notes)
    for name, side in (("earlier", train), ("later", ~train)):
        kept = _newest(kept, side, name, notes)
    ids = texts["ticket_id"]
    own, by, rest = _labels(history, (ids[train & kept], ids[~train & kept]), by, floor)
    category = own.reindex(texts["ticket_id"]).to_numpy(dtype=object)
    frame = texts[["text"]].assign(category=category, article="")
    priority = tickets["priority"].reindex(texts["ticket_id"])
    if priority.notna().all():
        frame["priority"] = priority.astype(str).to_numpy()
    frame["split"] = np.where(train, "train", "desk")
    frame = frame[kept]
    if rest not in set(frame.loc[frame["split"] == "desk", "category"]):
        # Nothing is learnt of the rest, so customers may send what came earlier.
        frame["split"] = frame["split"].where(frame["category"] != rest, "desk")
    counts = frame.groupby(["category", "split"]).size().unstack(fill_value=0)
    counts = counts.reindex(columns=["train", "desk"], fill_value=0).sort_values(
        "desk", ascending=False, kind="stable"
    )
    keys = history.extra["keys"]
    every = pd.DataFrame({
        "key": keys["key"].astype(str), "category": own.reindex(keys["ticket_id"]).to_numpy(),
    })  # fmt: skip
    said = counts.reset_index().rename_axis(columns=None)
    return OwnCorpus(frame.reset_index(drop=True), every, by, rest, split, said, tuple(notes))


def with_categories(
    history: DeskHistory, categories: pd.DataFrame, rest: str = OTHER
) -> DeskHistory:
    """The same history, its tickets in the categories of a corpus.

    So a desk is calibrated to the kinds that an assistant can tell apart.

    Parameters
    ----------
    history : DeskHistory
    categories : DataFrame
        As in `OwnCorpus`.
    rest : str
        Category of tickets that are not in it.

    Raises
    ------
    ScenarioError
        If no ticket of the history is in it.
    """
    table = categories.drop_duplicates("key").set_index("key")["category"]
    keys = history.extra["keys"]
    own = pd.Series(table.reindex(keys["key"].astype(str)).to_numpy(), index=keys["ticket_id"])
    found = own.reindex(history.log.tickets["ticket_id"])
    if found.isna().all():
        raise _fault("the corpus", "is of another desk: no ticket of this history is in it")
    column = pd.Categorical(found.fillna(rest).to_numpy(dtype=object))
    tickets = history.log.tickets.assign(category_true=column)
    return replace(history, log=replace(history.log, tickets=tickets))


def _fault(where: str, reason: str, hint: str = "") -> ScenarioError:
    return ScenarioError("the history", [Fault(where, reason, hint=hint)])


def _texts(history: DeskHistory, notes: list[str]) -> pd.DataFrame:
    """Subject and description of each ticket, masked: columns ticket_id, text."""
    known = [c for c in ("subject", "description") if c in history.texts]
    if not len(history.texts) or not history.texts[known].notna().any().any():
        hint = "import it again with --texts; texts stay on this machine"
        raise _fault("texts", "holds no subjects or descriptions of tickets", hint)
    rows = history.texts.dropna(subset=known, how="all").drop_duplicates("ticket_id")
    parts = [rows[column].fillna("").astype(str).tolist() for column in known]
    written = list(map(_clean, zip(*parts, strict=True)))
    found = pd.DataFrame({"ticket_id": rows["ticket_id"].to_numpy(), "text": written})
    blank = found["text"] == ""
    if blank.any():
        notes.append(f"{blank.sum():,} tickets without any words are left out.")
    bare = len(history.log.tickets) - len(rows)
    if bare > 0:
        notes.append(f"{bare:,} tickets have no text.")
    long = (found["text"].str.len() >= _LONGEST).sum()
    if long:
        notes.append(f"{long:,} texts are cut after {_LONGEST:,} characters.")
    return found[~blank].reset_index(drop=True)


def _clean(parts: Sequence[str]) -> str:
    """Parts of a ticket as a text: without markup, quoted mails, and what names a customer."""
    lines: dict[str, None] = {}
    for part in parts:
        # Enough of the beginning: a mail with a picture in it may hold megabytes.
        for line in masked(plain(part[: 20 * _LONGEST])).splitlines():
            if line.strip() and not _QUOTED.match(line):
                # A subject that the description begins with is said once.
                lines[line.strip()] = None
    return "\n".join(lines)[:_LONGEST].strip()


def _split(history: DeskHistory, arrived: Floats, held_back: float, since: date | None) -> date:
    """Day on which what is held back begins: whole days, so that no day is on both sides."""
    if since is not None:
        return since
    if not 0 < held_back < 1:
        raise _fault("the split", "the share held back must lie between 0 and 1")
    moment = float(np.quantile(arrived, 1 - held_back))
    return (history.desk.midnight + timedelta(seconds=moment)).astimezone(history.desk.zone).date()


def _before(history: DeskHistory, arrived: Floats, day: date) -> Mask:
    begin = datetime(day.year, day.month, day.day, tzinfo=history.desk.zone)
    found: Mask = arrived < (begin - history.desk.midnight).total_seconds()
    return found


def _apart(texts: list[str], train: Mask, notes: list[str]) -> Mask:
    """Texts to keep: later ones that are like an earlier one, or nearly so, are left out."""
    simple = [_LETTERS.sub(" ", text.casefold()).strip() or text.casefold() for text in texts]
    before = {simple[k] for k in np.flatnonzero(train)}
    later = np.flatnonzero(~train)
    same = np.array([simple[k] in before for k in later], dtype=bool)
    rest, alike = later[~same], np.zeros(int((~same).sum()), dtype=bool)
    earlier = embed([texts[k] for k in np.flatnonzero(train)])
    for start in range(0, len(rest), _BLOCK):
        block = embed([texts[k] for k in rest[start : start + _BLOCK]])
        # Block by block on both sides, so that memory does not grow with their product.
        for at in range(0, len(earlier), _BLOCK):
            near = (block @ earlier[at : at + _BLOCK].T).max(axis=1)
            alike[start : start + _BLOCK] |= near >= NEARLY_ALIKE
    kept = np.ones(len(texts), dtype=bool)
    kept[later[same]] = kept[rest[alike]] = False
    gone = int((~kept).sum())
    if gone:
        notes.append(
            f"{gone:,} of {len(later):,} later texts repeat an earlier one ({same.sum():,} word "
            f"for word, {alike.sum():,} nearly) and are left out: what is measured is measured on "
            "new texts."
        )
    if gone == len(later):
        raise _fault("the split", "every later text repeats an earlier one: none is held back")
    return kept


def _labels(
    history: DeskHistory, sides: tuple[pd.Series[Any], pd.Series[Any]], by: str, floor: int
) -> tuple[pd.Series[Any], str, str]:
    """Category of every ticket of the history, the column that tells it, and the name of the rest.

    `sides` are the tickets with an earlier text, and those with a later one.
    """
    train, desk = sides
    if by and by not in BY:
        raise _fault("--by", f'no such column: "{by}"', f"allowed: {', '.join(BY)}")
    names, tried = (by,) if by else BY, []
    for name in names:
        own = _column(history, name, train, floor)
        if own is None:
            continue
        rest = next((key for key in own.dropna().unique() if key.casefold() == OTHER), OTHER)
        counts = own.reindex(train).value_counts().drop(rest, errors="ignore")
        sent = set(own.reindex(desk).dropna())
        enough = [key for key, n in counts.items() if n >= floor and key in sent]
        if len(enough) >= 2:
            return own.where(own.isin(enough), rest).astype(object), name, rest
        some = ", ".join(f"{shown_cell(key)} {n:,}" for key, n in counts.head(3).items())
        tried.append(f"{name}: {some or 'none on so many'}")
    said = "; ".join(tried) or f"none is told: {', '.join(names)}"
    reason = (
        f"no column tells two kinds of at least {floor} earlier texts each, and of later ones "
        f"({said})"
    )
    raise _fault("categories", reason, "set a lower --floor, or bring a longer history")


def _column(
    history: DeskHistory, name: str, train: pd.Series[Any], floor: int
) -> pd.Series[Any] | None:
    """Kinds of tickets as one column tells them; None where it is not there."""
    if name == "category":
        frame = history.log.tickets
        found = pd.Series(frame["category_true"].astype(object).to_numpy(), frame["ticket_id"])
    elif name == "tags":
        if "tags" not in history.texts:
            return None
        frame = history.texts.drop_duplicates("ticket_id")
        rows = pd.Series(frame["tags"].astype(object).to_numpy(), frame["ticket_id"])
        if not rows.notna().any():
            return None
        found = _of_tags(rows, train, floor).reindex(history.log.tickets["ticket_id"])
    else:
        keys = history.extra["keys"]
        found = pd.Series(keys[name].astype(object).to_numpy(), keys["ticket_id"])
    known = found.dropna().map(lambda cell: " ".join(str(cell).split()))
    known = known[known != ""]
    if not len(known):
        return found if name == "tags" else None
    # Written in two ways, it would be two kinds.
    rarest_first = map(str, known.value_counts().index[::-1])
    forms = {same_form(key).casefold(): key for key in rarest_first}
    return known.map(lambda key: forms[same_form(key).casefold()]).reindex(found.index)


def _of_tags(rows: pd.Series[Any], train: pd.Series[Any], floor: int) -> pd.Series[Any]:
    """One tag a ticket: of its own the commonest that not too many tickets have."""
    split = rows.dropna().map(lambda cell: re.split(r"[,;|\s]+", str(cell).strip().casefold()))
    counts = split.reindex(train).dropna().explode().value_counts()
    most = _COMMONEST_TAG * max(len(train), 1)
    useful = {tag: n for tag, n in counts.items() if floor <= n <= most and tag}
    return split.map(lambda tags: max((t for t in tags if t in useful), key=lambda t: useful[t],
                                      default=None))  # fmt: skip


def _newest(kept: Mask, side: Mask, name: str, notes: list[str]) -> Mask:
    """No more texts on a side than can be learnt in a moment: the newest."""
    rows = np.flatnonzero(kept & side)
    if len(rows) <= MOST_TEXTS:
        return kept
    notes.append(f"Of {len(rows):,} {name} texts the newest {MOST_TEXTS:,} are taken.")
    found = kept.copy()
    found[rows[:-MOST_TEXTS]] = False
    return found
