"""Models, their providers and answers as tables, for the compiled machine."""

from __future__ import annotations

import numpy as np

from twin.assistant.protocol import Step
from twin.desk.answers import BY_HUMAN, AnswerColumns
from twin.desk.assistant import ServedModel
from twin.desk.compiled.columns import PROVIDER, QUOTA, SLOT, Array
from twin.desk.compiled.people import address
from twin.records.tables import STEPS

_ASK: tuple[Step, ...] = ("categorize", "respond")


class Asked:
    """Tables of models: answers are asked for when the first ticket needs them, as on SimPy's desk.

    Parameters
    ----------
    models : list of ServedModel
        None where humans work alone.
    visits : int
        Visits of a ticket, at most.

    Attributes
    ----------
    tables : dict of str to array
        By their names in `columns.TABLES`.
    """

    def __init__(self, models: list[ServedModel], visits: int) -> None:
        self._models = models
        # Columns of each slot: the machine has only their addresses.
        self._columns: list[AnswerColumns] = []
        self.tables: dict[str, Array] = {
            "slots": np.zeros(8, SLOT),
            "slots_of": np.full((len(STEPS), 1 + len(models), len(models), visits), -1),
            "providers": np.zeros(len(models), PROVIDER),
        }
        quotas: list[tuple[float, float, float, float, int]] = []
        down: list[tuple[float, float]] = []
        for row, served in zip(self.tables["providers"], models, strict=True):
            one = served.provider
            down = list(zip(one._down_from, one._down_to, strict=True))
            row["most"] = -1 if one._most is None else one._most
            row["first_call"] = row["last_call"] = -1
            row["quotas_from"] = len(quotas)
            quotas += [(q.limit, q.drain, q.level, q.at_s, q.counts_tokens) for q in one.quotas]
            row["quotas_to"] = len(quotas)
        self.tables["quotas"] = np.array(quotas, QUOTA)
        self.tables["outages"] = np.array(down, np.float64).reshape(-1, 2)

    def first(self, step: int, given: int, model: int, visit: int) -> None:
        """Ask a model for the answers to a step; given: 0 is a human, then the models."""
        found = BY_HUMAN if given == 0 else given - 1
        columns = self._models[model].answers.get(_ASK[step], found, visit)
        self.tables["slots_of"][step, given, model, visit] = self._slot(columns)

    def next(self, slot: int) -> None:
        """Ask for the answers to an attempt after one that a slot answered."""
        number = self._slot(self._columns[slot].again())
        self.tables["slots"][slot]["again"] = number

    def one(self, slot: int, ticket: int) -> None:
        """Ask for the answer to one ticket."""
        self._columns[slot].need(ticket)

    def _slot(self, columns: AnswerColumns) -> int:
        """The slot of some columns, a new one if they have none."""
        for number, known in enumerate(self._columns):
            if known is columns:
                return number
        number = len(self._columns)
        self._columns.append(columns)
        if number == len(self.tables["slots"]):
            more = np.zeros(2 * number, SLOT)
            more[:number] = self.tables["slots"]
            self.tables["slots"] = more
        row = self.tables["slots"][number]
        categorizes = _ASK[columns.step] == "categorize"
        row["word"] = address(columns.category if categorizes else columns.answer)
        row["score"] = address(columns.confidence if categorizes else columns.quality)
        row["reply"] = address(columns.reply) if columns.reply else 0
        row["latency_s"] = address(columns.latency_s)
        row["tokens_in"] = address(columns.prompt_tokens)
        row["tokens_out"] = address(columns.completion_tokens)
        row["outcome"], row["asked"] = address(columns.outcome), address(columns.asked)
        row["name"], row["version"], row["again"] = columns.model, columns.version, -1
        return number
