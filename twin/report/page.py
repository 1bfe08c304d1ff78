"""The page of one or several runs, and the order of its parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from twin.common.files import write_text
from twin.common.html import Html, glue, tag
from twin.experiments.comparison import Comparison, compare
from twin.experiments.results import Results
from twin.experiments.studies.explorer import Explorer
from twin.experiments.studies.findings import SearchResults
from twin.experiments.studies.results import StudyResults
from twin.experiments.targets import answers
from twin.history.desk_history import DeskHistory
from twin.report import background, explore, first, frame, history, numbers, pictures, study
from twin.report.answer import of_runs
from twin.report.source import Source
from twin.scenario.model import Target

# Of more runs than these the figures would bury the comparison.
MOST_DETAILED = 4
# Longer texts of tickets are cut.
_LONGEST = 700
_NO_FIRST_PAGE = (
    "--brief and --target are for runs, studies and searches; of a history the whole page is "
    "written, and `twin fidelity` says how far its twin can be trusted"
)


Reported = Results | StudyResults | SearchResults | DeskHistory | Explorer


def write(
    results: Reported,
    path: str | Path,
    *,
    brief: bool = False,
    targets: Mapping[str, Target] | None = None,
) -> Path:
    """Write a report as a page of HTML; an older one is replaced.

    Parameters
    ----------
    results : Results, StudyResults, SearchResults, DeskHistory or Explorer
        Runs that were saved, or played with ``keep_logs=True``: the first is the baseline of the
        others. Or a study, its explorer, a search, or a desk's history.
    path : str or Path
        The file.
    brief : bool
        Whether to write the first page only, of runs, a study or a search: answer, figures, cost,
        what to do, and why.
    targets : mapping of str to Target, optional
        What figures of runs or of a study must reach, as "service_level"; they go before those of
        the scenarios or the study.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If there is nothing to report: no replication is whole, or tables were not kept; if an
        explorer would be too large; or if brief or targets are given of what has no first page.
    OSError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile, twin
    >>> desk = twin.from_data({"horizon": "4h", "arrivals": {"rate": "6/h"}, "agents":
    ...                        {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write(twin.run(desk, replications=3, keep_logs=True), f"{folder}/report.html")
    ...     path.name
    'report.html'
    """
    path = Path(path)
    text = page(results, brief=brief, targets=targets)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text, private=not brief and _has_texts(results))
    return path


def page(
    results: Reported, *, brief: bool = False, targets: Mapping[str, Target] | None = None
) -> str:
    """A report as HTML; see `write`.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "4h", "arrivals": {"rate": "6/h"}, "agents":
    ...                        {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> html = page(twin.run(desk, replications=3, keep_logs=True))
    >>> html.startswith("<!doctype html>")
    True
    """
    if isinstance(results, SearchResults):
        if targets:
            raise ValueError("--target: a search has the targets of its study file, no others")
        return study.search_page(results, brief=brief)
    if isinstance(results, StudyResults):
        return study.page(results, brief=brief, targets=targets)
    if (brief or targets) and not isinstance(results, Results):
        raise ValueError(_NO_FIRST_PAGE)
    if isinstance(results, DeskHistory):
        return history.page(results)
    if isinstance(results, Explorer):
        return explore.page(results)
    if not len(results.kpis):
        raise ValueError("nothing to report: no replication is whole")
    summary = results.summary()
    with_data = set(summary["scenario"])
    sources = [
        Source(results, run, summary[summary["scenario"] == run.scenario])
        for run in results.runs
        if run.scenario in with_data
    ]
    comparison = None
    if len(sources) > 1:
        comparison = compare(results, sources[0].name)
    found = answers(results, sources[0].name, targets)
    parts = [first.part(results, sources, comparison, found)]
    if not brief:
        parts += _parts(results, sources, comparison)
    questions = [
        f"{source.name}: {source.run.question}" if len(sources) > 1 else source.run.question
        for source in sources
        if source.run.question
    ]
    started = str(sources[0].manifest.get("started", ""))[:10]
    names = " · ".join(source.name for source in sources)
    return frame.frame(names, questions, parts, f"from runs of {started}", folded=True)


def _has_texts(results: Reported) -> bool:
    """True where texts of customers may stand on the page, as in the tables of the run."""
    if not isinstance(results, Results):
        return False
    scenarios = [Source(results, run, results.kpis).scenario for run in results.runs]
    return any(one.tickets.corpus or one.arrivals.trace for one in scenarios)


def _parts(
    results: Results, sources: Sequence[Source], comparison: Comparison | None
) -> Iterator[frame.Part]:
    """Name, heading and content of each part behind the first, in order."""
    yield "figures", "Key figures and targets", numbers.key_figures(sources)
    several = len(sources) > 1
    if comparison is not None:
        drawn = list(pictures.of_comparison(comparison, results.summary()))
        said = [tag("p", glue(sentence)) for sentence in of_runs(sources, comparison)]
        content = [*said, *numbers.differences(comparison), frame.figures(drawn)]
        yield "comparison", "Comparison", content
        over = [*first.overlaid(sources), *pictures.responses(sources)]
        yield "overlaid", "Scenarios over each other", [frame.figures(over)]
    for k, source in enumerate(sources[:MOST_DETAILED]):
        heading = f"In pictures: {source.name}" if several else "In pictures"
        drawn = list(pictures.of_run(source, f"run{k}", brief=k > 0))
        remark = tag("p", _remark(source), class_="small")
        yield f"pictures-{k}", heading, [remark, frame.figures(drawn)]
    if len(sources) > MOST_DETAILED:
        names = ", ".join(source.name for source in sources[MOST_DETAILED:])
        text = f"Figures of these are in reports of their own: {names}."
        yield "more", "Further runs", [tag("p", text)]
    told = _tickets(sources[0])
    if told:
        yield "tickets", "Some tickets, word for word", told
    yield "scenario", "The scenario", background.scenarios(sources)
    yield "assumptions", "What is assumed", background.assumed(sources)
    yield "quality", "Data quality and checks", background.quality(results, sources)
    yield "again", "Run it again", background.again(sources)


def _remark(source: Source) -> str:
    scenario, count = source.scenario, source.run.whole
    text = f"From {count} replication{'s' if count > 1 else ''} of {scenario.name}."
    if scenario.warm_up:
        text += " Figures over time show the warm-up in grey; all others leave it out."
    if source.one_in > 1:
        text += (
            f" Arrivals, backlog and staffing are of all tickets; other figures of one ticket in "
            f"{source.one_in:,}, evenly spread."
        )
    return text


def _tickets(source: Source) -> list[Html]:
    """Texts of the tickets in the figure of single tickets; empty without texts."""
    if source.first != 0:
        return []
    texts = source.texts()
    told = pictures.stories(source)
    parts: list[Html] = []
    for number, story in zip(told["ticket_id"], told["story"], strict=True):
        entry = texts.get(int(number))
        if entry is None or not entry["description"]:
            continue
        parts.append(tag("h3", f"#{number}: {story}"))
        category = entry["category"] or "none"
        parts.append(tag("p", f"Categorized as: {category}. {entry['status']}.", class_="small"))
        parts.append(tag("pre", _cut(str(entry["description"])), class_="text"))
        if entry["response"]:
            answer = tag("pre", _cut(str(entry["response"])), class_="text")
            parts.append(tag("details", tag("summary", "the assistant's answer"), answer))
    return parts


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()} …"
