"""Rate a recorded run again, by another judge of answers, next to how it was rated.

Nothing is played again: the answers that the run wrote are judged anew, and the same customers,
with the luck that they had, say whether that solves their ticket and how they rate it. What a
ticket's life would have become (who comes back, and when) stays as it was. So the figures tell how
much of a result is the judge's, not what the desk would have done.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from twin.assistant import catalogue
from twin.assistant.asking import Ask
from twin.assistant.catalogue import cost_usd
from twin.assistant.errors import AssistantError, UnknownPrice
from twin.assistant.judging.judge import Judge, Rater
from twin.assistant.judging.model_judge import Fetch, ModelJudge
from twin.assistant.knowledge.knowledge import knowledge_of
from twin.assistant.learning.learning import GOOD_RATING
from twin.assistant.protocol import OK, Answers, Luck, Questions, Written
from twin.assistant.recorded.recording import Reply, open_recording
from twin.common.files import write_json
from twin.common.parquet import write_parquet
from twin.demand.tickets import Demand, draw
from twin.desk.customers import Customers
from twin.experiments import manifest as provenance
from twin.experiments.versions import as_played
from twin.records import storage
from twin.records.columns import Column
from twin.records.tables import BY_ASSISTANT, RESOLVED_STATUSES, WORKERS
from twin.scenario.model import Scenario, from_data
from twin.stats.agreement import InOrder, in_order
from twin.stats.differences import differences

COLUMNS = (
    Column("ticket_id", "int32", "", "number of the ticket; only those with an answer written"),
    Column("quality_before", "float64", "0-1", "judged quality of the answer, as the run has it"),
    Column("quality", "float64", "0-1", "the same by the new rater"),
    Column("solved_before", "float64", "0/1", "whether the last answer solved it, as in the run"),
    Column("solved", "float64", "0/1", "the same by the new rater; agents' answers stay"),
    Column("rating_before", "float64", "1-5", "stars, as in the run; missing where none"),
    Column("rating", "float64", "1-5", "the same by the new rater; agents' answers stay"),
)
FOLDER = "rerated"
BEFORE, AFTER = "before", "after"
# What the second rater is compared on: name, column, unit, and what is averaged.
_FIGURES = (
    ("quality", "quality", "0-1"),
    ("solved", "solved", "share"),
    ("rating_mean", "rating", "1-5"),
    ("csat", "rating", "share"),
)


@dataclass(frozen=True)
class Rerated:
    """A run that was rated again.

    Attributes
    ----------
    path : Path
        Where the new table lies: a Parquet file a replication.
    before, after : str
        Raters with their versions.
    table : DataFrame
        Columns replication and `COLUMNS`.
    figures : DataFrame
        See `twin.stats.differences.differences`; `what_if` is by the new rater.
    agreement : InOrder
        Of the two raters on quality, over distinct pairs of ticket text and answer.
    notes : tuple of str
        What the reader must know.
    """

    path: Path
    before: str
    after: str
    table: pd.DataFrame
    figures: pd.DataFrame
    agreement: InOrder
    notes: tuple[str, ...]


def rate(
    run: str | Path,
    model: str | None = None,
    recording: str | Path | None = None,
    max_cost_usd: float | None = None,
) -> Rerated:
    """Rate a run again and write the new table next to the old ones.

    Parameters
    ----------
    run : str or Path
        Folder of a run.
    model : str, optional
        Name in the catalogue: a model judges, by its rubric. By default the evidence does, which
        is the article that solves the ticket.
    recording : str or Path, optional
        Where a model's verdicts are kept; what it holds is not asked again, and takes no key.
        Default: the scenario's recording, else `recordings/NAME.jsonl`.
    max_cost_usd : float, optional
        Stop before verdicts could cost more.

    Raises
    ------
    ValueError
        If the folder is no run, the run holds no answers, the files that it read are gone or
        changed, or it was rated by this rater already; nothing is written then.
    AssistantError
        If the model gives no verdict.
    """
    folder = Path(run)
    manifest = storage.read_manifest(folder)
    numbers = storage.whole(folder)
    if not numbers:
        raise ValueError(f"{folder}: no replication is whole (status: {manifest['status']})")
    scenario = from_data(manifest["scenario_as_run"], str(folder))
    notes = _changed(folder, manifest, scenario)
    rater = _rater(scenario, model, recording, max_cost_usd)
    out = folder / FOLDER / re.sub(r"[^A-Za-z0-9.]+", "-", rater.rater).strip("-")
    if out.exists():
        raise ValueError(f"{out}: this run was rated by {rater.rater} already")
    rated = {k: _rated(folder, scenario, k, rater) for k in numbers}
    tables = {k: table for k, (table, _) in rated.items()}
    if not any(len(table) for table in tables.values()):
        raise ValueError(f"{folder}: the run holds no answers that could be judged")
    figures = _figures(tables)
    pairs = pd.concat([pair for _, pair in rated.values()]).drop_duplicates(["text", "answer"])
    agreed = in_order(pairs["before"].to_numpy(), pairs["after"].to_numpy())
    before = str(manifest.get("raters", {}).get("answers", "unknown"))
    notes += rater.notes
    told = {
        "before": before,
        "after": rater.rater,
        "customers": provenance.raters(scenario)["customers"],
        "rated": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": provenance.versions(),
        "agreement": {k: v if v == v else None for k, v in asdict(agreed).items()},
        "notes": notes,
        "columns": {column.name: column.meaning for column in COLUMNS},
    }
    _write(out, tables, told)
    table = pd.concat([t.assign(replication=k) for k, t in tables.items()], ignore_index=True)
    ordered = table[["replication", *(column.name for column in COLUMNS)]]
    return Rerated(out, before, rater.rater, ordered, figures, agreed, tuple(notes))


def _changed(folder: Path, manifest: dict[str, Any], scenario: Scenario) -> list[str]:
    """Inputs that changed since the run; those that tickets and shifts come from must not have."""
    then, now = manifest.get("files", {}), provenance.file_hashes(scenario)
    rosters = (f"agents.{name}.roster" for name in scenario.agents)
    for key in ("tickets.corpus", "arrivals.trace", *rosters):
        if then.get(key) != now.get(key):
            raise ValueError(f"{folder}: the file of {key} has changed since the run")
    if then.get("assistant.knowledge") != now.get("assistant.knowledge"):
        return ["the articles have changed since the run: it is rated by those of today"]
    return []


def _rater(
    scenario: Scenario,
    model: str | None,
    recording: str | Path | None,
    max_cost_usd: float | None,
) -> Rater:
    knowledge = knowledge_of(scenario.assistant)
    if model is None:
        return Judge(knowledge)
    entry = catalogue.model(model, scenario.models)
    if max_cost_usd is not None and np.isnan(cost_usd(entry, 1, 1)):
        raise UnknownPrice(model)
    kept = recording or scenario.assistant.recording or Path("recordings", f"{scenario.name}.jsonl")
    return ModelJudge(entry, _fetch(scenario, entry, Path(kept), max_cost_usd), knowledge)


def _fetch(
    scenario: Scenario, model: catalogue.Model, path: Path, max_cost_usd: float | None
) -> Fetch:
    recording = open_recording(path)
    changes = {
        "assistant.backend": "groq",
        "assistant.recording": str(path),
        "assistant.judge": "model",
        "assistant.judge_model": model.name,
    }

    def fetch(asks: Sequence[Ask]) -> dict[str, Reply | AssistantError]:
        known = {ask.key: reply for ask in asks if (reply := recording.get(ask.key))}
        if len(known) == len(asks):
            return dict(known)
        # Not before: verdicts that are recorded take neither key nor SDK.
        from twin.assistant.live.groq import GroqAssistant

        live = GroqAssistant(scenario.vary(changes), (), model, max_cost_usd=max_cost_usd)
        try:
            return live.fetch(asks)
        finally:
            live.close()

    return fetch


def _rated(
    folder: Path, scenario: Scenario, replication: int, rater: Rater
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The new table of a replication, and its answers by text of ticket and answer."""
    tickets, answers, ratings = (
        storage.read_frame(storage.part(folder, name, replication))
        for name in ("tickets", "answers", "ratings")
    )
    scenario = as_played(scenario, replication)
    demand = draw(scenario, replication)
    same = len(demand) == len(tickets) and np.array_equal(demand.arrived_s, tickets["arrived_s"])
    if not same or not np.array_equal(demand.text, tickets["text_id"]):
        raise ValueError(
            f"{folder}: its tickets cannot be drawn again (it was played by another version)"
        )
    rows = np.flatnonzero((tickets["answer_id"] >= 0) & tickets["category"].notna())
    told = tickets.iloc[rows]
    names = {name: k for k, name in enumerate(demand.categories)}
    category = told["category"].astype(object).map(names).to_numpy(dtype=np.int64)
    quality = _quality(demand, rows, category, told["answer_id"].to_numpy(), answers, rater)
    stars = pd.Series(ratings["rating"].to_numpy(dtype=float), index=ratings["ticket_id"])
    rating = stars.reindex(told["ticket_id"]).to_numpy(copy=True)
    solved = told["solved"].to_numpy(dtype=float, copy=True)
    table = {
        "ticket_id": told["ticket_id"].to_numpy(dtype=np.int32),
        "quality_before": told["quality"].to_numpy(dtype=float),
        "quality": quality,
        "solved_before": solved.copy(),
        "solved": solved,
        "rating_before": rating.copy(),
        "rating": rating,
    }
    customers = Customers(scenario, demand)
    by_assistant = (told["resolved_by"] == WORKERS[BY_ASSISTANT]).to_numpy()
    response_s = (told["responded_s"] - told["arrived_s"]).to_numpy()
    transfers, reopens = told["transfers"].tolist(), told["reopens"].tolist()
    # Of a ticket that is back in work the last resolution was before it came back.
    at_rest = told["status"].isin(RESOLVED_STATUSES)
    visit = (told["reopens"] - ~at_rest).tolist()
    for k in np.flatnonzero(by_assistant).tolist():
        ticket = int(rows[k])
        right = bool(category[k] == demand.category[ticket])
        good = customers.is_solved(ticket, BY_ASSISTANT, right, float(quality[k]), visit[k])
        solved[k] = good
        if not np.isnan(rating[k]):
            rating[k] = customers.rating(
                ticket, good, right, transfers[k], reopens[k], float(response_s[k])
            )
    pairs = {
        "text": demand.text[rows],
        "answer": answers["text"].to_numpy()[told["answer_id"].to_numpy()],
        "before": table["quality_before"],
        "after": quality,
    }
    return pd.DataFrame(table), pd.DataFrame(pairs)


def _quality(
    demand: Demand,
    rows: Any,
    category: Any,
    answer: Any,
    answers: pd.DataFrame,
    rater: Rater,
) -> Any:
    n = len(rows)
    none = np.zeros(n)
    questions = Questions(
        step="respond",
        categories=demand.categories,
        texts=demand.texts,
        text=demand.text[rows],
        category=category,
        truth=demand.category[rows],
        ticket=rows,
        luck=Luck.neutral(n),
    )
    counts = np.zeros(n, dtype=np.int64)
    written = [Written(text) for text in answers["text"]]
    written_by = Answers(
        none, counts, counts, np.full(n, OK), written=answer.astype(np.int64), texts=written
    )
    return rater.quality(questions, written_by, demand.articles)


def _figures(tables: dict[int, pd.DataFrame]) -> pd.DataFrame:
    """Means by the old rater and the new one, with the interval of their paired difference."""
    kpis = []
    for replication, table in tables.items():
        for when, end in ((BEFORE, "_before"), (AFTER, "")):
            for name, column, unit in _FIGURES:
                values = table[f"{column}{end}"].dropna()
                if name == "csat":
                    values = values >= GOOD_RATING
                row = (when, replication, name, "", unit, float(values.sum()), float(len(values)))
                kpis.append(row)
    columns = ["scenario", "replication", "kpi", "group", "unit", "numerator", "denominator"]
    rows = [(name, "") for name, *_ in _FIGURES]
    return differences(pd.DataFrame(kpis, columns=columns), BEFORE, rows)


def _write(out: Path, tables: dict[int, pd.DataFrame], told: dict[str, Any]) -> None:
    """Write all of it, or nothing."""
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        for replication, table in tables.items():
            typed = table.astype({column.name: column.dtype for column in COLUMNS})
            typed.insert(0, "replication", np.int32(replication))
            table_now = pa.Table.from_pandas(typed, preserve_index=False)
            write_parquet(part / f"r{replication:04d}.parquet", table_now)
        write_json(part / "rating.json", told)
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
