"""The page: its frame, and the order of its parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import twin
from twin.comparison import Comparison, compare
from twin.markup import Html, glue, tag
from twin.report import background, numbers, pictures, tickets
from twin.report.answer import answer
from twin.report.source import Source
from twin.storage import write_text

if TYPE_CHECKING:
    from twin.results import Results

# Of more runs than these the figures would bury the comparison.
MOST_DETAILED = 4


def write(results: Results, path: str | Path) -> Path:
    """Write a report of one or several runs as a page of HTML; an older one is replaced.

    Parameters
    ----------
    results : Results
        Saved runs, or played with ``keep_logs=True``. The first is the baseline of the others.
    path : str or Path
        The file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If there is nothing to report: no replication is whole, or tables were not kept.
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
    text = page(results)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return path


def page(results: Results) -> str:
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
        # The main figures only: the fewer are compared, the narrower are the joint intervals.
        comparison = compare(results, sources[0].name, numbers.COMPARED)
    parts = list(_parts(results, sources, comparison))
    return _frame(sources, parts)


Part = tuple[str, str, list[Html]]


def _parts(
    results: Results, sources: Sequence[Source], comparison: Comparison | None
) -> Iterator[Part]:
    """Name, heading and content of each part, in order."""
    sentences = [tag("p", glue(sentence)) for sentence in answer(sources, comparison)]
    alone = all(source.run.whole < 2 for source in sources)
    said = "One replication: there are no intervals." if alone else (
        "± is the 95 % interval over replications."
    )  # fmt: skip
    remark = tag("p", said, class_="small")
    yield "answer", "The answer", [tag("div", *sentences, class_="answer"), remark]
    yield "figures", "Key figures and targets", numbers.key_figures(sources)
    if comparison is not None:
        shown = [_figure(p) for p in pictures.of_comparison(comparison, results.summary())]
        drawn = tag("div", *shown, class_="pictures")
        yield "comparison", "Comparison", [*numbers.differences(comparison), drawn]
    several = len(sources) > 1
    for k, source in enumerate(sources[:MOST_DETAILED]):
        heading = f"In pictures: {source.name}" if several else "In pictures"
        shown = [_figure(picture) for picture in pictures.of_run(source, f"run{k}", brief=k > 0)]
        remark = tag("p", _remark(source), class_="small")
        content = [remark, tag("div", *shown, class_="pictures")]
        yield f"pictures-{k}", heading, content
    if len(sources) > MOST_DETAILED:
        names = ", ".join(source.name for source in sources[MOST_DETAILED:])
        text = f"Figures of these are in reports of their own: {names}."
        yield "more", "Further runs", [tag("p", text)]
    told = tickets.examples(sources[0])
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
    return text


def _figure(picture: pictures.Picture) -> Html:
    # The words are below the picture, where all can read them; the picture points to them.
    svg = Html(
        picture.svg.replace("<svg ", f'<svg role="img" aria-labelledby="{picture.name}-words" ', 1)
    )
    return tag(
        "figure",
        tag("h4", picture.title),
        svg,
        tag("figcaption", glue(picture.alt), id=f"{picture.name}-words"),
    )


def _frame(sources: Sequence[Source], parts: Sequence[Part]) -> str:
    names = " · ".join(source.name for source in sources)
    style = (resources.files("twin.report") / "page.css").read_text(encoding="utf-8")
    # Nothing is fetched and nothing runs, whatever the texts in it say.
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("link", rel="icon", href="data:,"),
        tag("title", f"{names}: support desk report"),
        tag("style", Html(style)),
    )
    questions = [
        tag("p", f"{source.name}: {source.run.question}" if len(sources) > 1
            else source.run.question, class_="question")
        for source in sources
        if source.run.question
    ]  # fmt: skip
    links = [tag("li", tag("a", heading, href=f"#{name}")) for name, heading, _ in parts]
    header = tag(
        "header",
        tag("h1", names),
        *questions,
        tag("nav", tag("ul", *links), aria_label="Parts of the report"),
    )
    body = [
        tag("section", tag("h2", heading, id=f"{name}-heading"), *content, id=name,
            aria_labelledby=f"{name}-heading")
        for name, heading, content in parts
    ]  # fmt: skip
    started = str(sources[0].manifest.get("started", ""))[:10]
    footer = tag("footer", tag("p", f"Made by support-desk-twin {twin.__version__}, "
                                    f"from runs of {started}."))  # fmt: skip
    skip = tag("a", "To the answer", href="#answer", class_="skip")
    whole = tag("html", head, tag("body", skip, header, tag("main", *body), footer), lang="en")
    return f"<!doctype html>\n{whole}\n"
