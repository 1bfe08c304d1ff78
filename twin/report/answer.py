"""The answer of runs in three sentences, from the numbers and their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twin.common.text import in_words, interval, label
from twin.scenario.model import PRIORITIES
from twin.stats.verdicts import BETTER, OPEN, WORSE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twin.experiments.comparison import Comparison
    from twin.report.source import Source

# Main figures that a decision goes by, in this order, where several differ.
DECISIVE = ("service_level", "csat", "cost_per_resolution", "abandonment_rate", "resolution_mean",
           "first_response_mean", "agent_wait_mean", "backlog", "containment")  # fmt: skip
_MOST = 2
# A sure difference below this share of the baseline is left to the table.
_MATTERS = 0.01


def answer(sources: Sequence[Source], comparison: Comparison | None) -> list[str]:
    """Three sentences: the state of one run, or the differences of several from the baseline."""
    if comparison is None:
        source = sources[0]
        found = [_service(source), _work(source), _customers(source)]
        return [sentence for sentence in found if sentence]
    base = next(source for source in sources if source.name == comparison.baseline)
    rows: list[dict[str, Any]] = comparison.table.to_dict("records")  # type: ignore[assignment]
    names = list(dict.fromkeys(row["scenario"] for row in rows))
    shown = [row for row in rows if row["verdict"] == OPEN]
    sides = [
        _side(rows, names, verdict, word, base.name)
        for verdict, word in ((BETTER, "better"), (WORSE, "worse"))
    ]
    end = f"{sides[1]}; "
    if shown:
        end += f"in {len(shown)} of {len(rows)} comparisons no difference is shown"
    else:
        end += f"each of the {len(rows)} comparisons is settled"
    return [f"{base.name}: {_service(base)}", f"{sides[0]}.", f"{end}."]


def _side(
    rows: list[dict[str, Any]], names: list[str], verdict: str, word: str, baseline: str
) -> str:
    parts = []
    for name in names:
        mine = [
            row
            for row in rows
            if (row["scenario"], row["verdict"]) == (name, verdict)
            and row["kpi"] in DECISIVE
            and abs(row["difference"]) >= _MATTERS * abs(row["baseline"])
        ]
        mine.sort(key=lambda row: DECISIVE.index(row["kpi"]))
        said = [f"{label(row['kpi'], row['group'])} by {interval(row)}" for row in mine[:_MOST]]
        if said:
            parts.append(f"{name} is {word} in {' and '.join(said)}")
    if not parts:
        return f"In no main figure is anything shown to be {word} than {baseline}"
    return f"Against {baseline}, {'; '.join(parts)}"


def _service(source: Source) -> str:
    count, level = source.said("arrivals"), source.said("service_level")
    scenario = source.scenario
    start = f"In {in_words(scenario.horizon - scenario.warm_up)}, {count} tickets arrive"
    if source.row("first_response_median") is None:
        return f"{start}, and none gets a response."
    times = (
        f"half get a first response within {source.value('first_response_median')}, "
        f"9 in 10 within {source.value('first_response_p90')}"
    )
    if level is None:
        return f"{start}; {times}."
    by = {name: source.row("service_level", name) for name in PRIORITIES}
    known = {name: row for name, row in by.items() if row is not None}
    worst = min(known, key=lambda name: known[name]["value"])
    best = max(known, key=lambda name: known[name]["value"])
    text = f"{start} and {level} get their first response within the promised time"
    # Only where luck does not explain it.
    if known[worst]["high"] < known[best]["low"]:
        text += f", of {worst} ones {source.said('service_level', worst)}"
    return f"{text}; {times}."


def _work(source: Source) -> str:
    parts = []
    alone = source.said("containment")
    if source.scenario.assistant.role == "full" and alone:
        parts.append(f"the assistant resolves {alone} of the finished tickets on its own")
    busy, wait = source.said("occupancy"), source.said("agent_wait_mean")
    if busy:
        parts.append(f"agents are busy {busy} of their time on shift")
    if wait:
        parts.append(f"who needs an agent waits {wait} on average")
    backlog = source.said("backlog")
    if backlog:
        parts.append(f"{backlog} tickets are open at any time")
    return _joined(parts)


def _customers(source: Source) -> str:
    parts = []
    stars, good = source.said("rating_mean"), source.said("csat")
    if stars and good:
        parts.append(f"customers give {stars} of 5 stars ({good} of ratings are 4 or 5)")
    gone, back = source.said("abandonment_rate"), source.said("reopen_rate")
    if gone:
        parts.append(f"{gone} of the finished tickets were given up")
    if back:
        parts.append(f"{back} of the resolved come back")
    cost = source.said("cost_per_resolution")
    if cost:
        parts.append(f"a resolution costs {cost}")
    return _joined(parts)


def _joined(parts: list[str]) -> str:
    if not parts:
        return ""
    text = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}, and {parts[-1]}"
    return f"{text[0].upper()}{text[1:]}."
