"""The pages of a study and of a search: answer, figures, all points, and background."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from twin.common.html import Html, glue, html, table, tag
from twin.common.text import amount, command, interval, label, level
from twin.experiments.studies.sensitivity import crossings, effects
from twin.measures.figures import FIGURES, figure_of
from twin.report import background, frame, searched, studied
from twin.report.answer import capital, of_study
from twin.report.study_pictures import pictures
from twin.scenario.model import Scenario

if TYPE_CHECKING:
    from twin.experiments.studies.findings import SearchResults
    from twin.experiments.studies.results import StudyResults
    from twin.report.pictures import Picture
    from twin.scenario.model import Target

# A table of more points is folded.
_MOST_OPEN = 24


def page(
    found: StudyResults, *, brief: bool = False, targets: Mapping[str, Target] | None = None
) -> str:
    """A study as HTML; see `twin.report.page`.

    Raises
    ------
    ValueError
        If no replication is whole.
    """
    if not len(found.frame):
        raise ValueError("nothing to report: no replication is whole")
    replications = int(found.points["asked"].max())
    many = f"{replications} replication{'s' if replications > 1 else ''} of each point"
    ended = str(found.manifest.get("ended", ""))[:10]
    source = f"from a study of {ended}" if ended else "from a study in memory"
    # The first picture is on the first page, the others behind it.
    points = studied.Points(found, targets or {})
    drawn = pictures(found, points.deciding)
    parts = [studied.part(points, next(drawn, None))]
    if not brief:
        parts += _parts(found, many, list(drawn))
    return frame.frame(found.name, [found.question], parts, source, folded=True)


def search_page(found: SearchResults, *, brief: bool = False) -> str:
    """A search as HTML; see `twin.report.page`."""
    ended = str(found.manifest.get("ended", ""))[:10]
    source = f"from a search of {ended}" if ended else "from a search in memory"
    parts = [searched.part(found)]
    if not brief:
        parts += _search_parts(found)
    return frame.frame(found.name, [found.question], parts, source, folded=True)


def _search_parts(found: SearchResults) -> Iterator[frame.Part]:
    small = "± is the 95 % interval over replications; today is the scenario as it is."
    said = [tag("p", glue(capital(f"{found.statement}."))), tag("p", small, class_="small")]
    yield "finding", "The finding in full", said
    for number, (caption, heads, rows) in enumerate(found.tables()):
        yield f"table-{number}", caption, [table(heads, rows, caption, numbers=True)]
    yield "settings", "All settings", [_settings(found)]
    (base,) = (Scenario.model_validate(data) for data in found.manifest["base_as_run"])
    both = [base] if found.scenario is None else [base, found.scenario]
    yield (
        "scenario",
        "The scenario",
        [
            background.explained(both[-1]),
            *(
                background.as_run(name, one.as_data())
                for name, one in zip(("today", "found"), both, strict=False)
            ),
            background.as_run(found.name, dict(found.manifest["study_as_run"])),
        ],
    )
    yield "assumptions", "What is assumed", [background.assumption_table(both[-1])]
    notes = [tag("p", note, class_="warning") for note in found.notes]
    yield "method", "How it was searched", [tag("p", capital(f"{found.method}.")), *notes]


def _settings(found: SearchResults) -> Html:
    """Every setting that was played, by the replications of the search, folded."""
    names = dict(zip(found.changes["factor"], found.changes["name"], strict=True))
    figures = [
        str(name) for name in found.table.columns
        if name not in names and name not in ("met", "verdict", "replications")
    ]  # fmt: skip
    rows = [
        [*(level(row[name]) for name in names),
         *(amount(row[name], FIGURES[figure_of(name)[0]].unit) for name in figures),
         row["verdict"] if row["replications"] else "not judged", row["replications"]]
        for row in ({str(k): v for k, v in one.items()} for one in found.table.to_dict("records"))
    ]  # fmt: skip
    heads = [*names.values(), *(label(*figure_of(name)) for name in figures)]
    heads += ["targets", "fresh replications"]
    text = (
        "Figures are those of the search, which only says where to look; the verdict is that of "
        "the fresh replications. What costs more than another that meets the targets is not judged."
    )
    whole = table(heads, rows, "Settings that were played", numbers=True)
    summary = tag("summary", f"all {len(rows)} settings as a table")
    return tag("details", summary, tag("p", text, class_="small"), whole)


def _parts(found: StudyResults, many: str, shown: list[Picture]) -> Iterator[frame.Part]:
    small = f"{len(found.points)} points, {many}. ± is the 95 % interval over replications."
    said = [tag("p", glue(one)) for one in of_study(found)]
    yield "finding", "The finding in full", [*said, tag("p", small, class_="small")]
    if shown:
        yield "pictures", "In pictures", [frame.figures(shown)]
    if found.crossings:
        yield "limits", "Where limits are crossed", list(_limits(found))
    yield "points", "All points", [points(found)]
    moved = _effects(found)
    if moved:
        yield "effects", "What moves what", moved
    bases = [Scenario.model_validate(data) for data in found.manifest.get("base_as_run", [])]
    if bases:
        yield "scenario", "The scenario", list(_scenarios(found, bases))
        yield "assumptions", "What is assumed", list(_assumed(found, bases))
    yield "quality", "Data quality and checks", list(_quality(found))
    if bases:
        yield "again", "Run it again", list(_again(found, bases))


def _names(found: StudyResults) -> list[str]:
    return list(found.names.values())


def points(found: StudyResults) -> Html:
    """All points with the figures that the study shows, folded where there are many."""
    cells = [[*levels, *figures] for levels, figures in found.rows()]
    head = [*(_names(found) or ["scenario"]), *(label(*figure_of(name)) for name in found.shown)]
    whole = table(head, cells, "Points and their figures", numbers=True)
    if len(cells) <= _MOST_OPEN:
        return whole
    return tag("details", tag("summary", f"all {len(cells)} points as a table"), whole)


def _limits(found: StudyResults) -> Iterator[Html]:
    short = found.names
    text = "By straight lines between points; where a figure crosses several times, the first."
    yield tag("p", text, class_="small")
    for one in found.crossings:
        kpi, along = one["kpi"], one["along"]
        where = crossings(found, kpi, along, one["limit"])
        others = [name for name in found.factors if name != along]
        limit = amount(one["limit"], FIGURES[figure_of(kpi)[0]].unit)
        caption = f"Where {label(*figure_of(kpi))} crosses {limit} along {short[along]}"
        rows = [
            [*(level(row[name]) for name in others), row["status"], level(row["at"])]
            for row in where.to_dict("records")
        ]
        head = [*(short[name] for name in others), "status", "at"]
        yield table(head, rows, caption, numbers=True)


def _effects(found: StudyResults) -> list[Html]:
    moved = effects(found)
    if not len(moved):
        return []
    short = found.names
    rows = [
        [label(row["kpi"], row["group"]), f"{short[row['factor']]} {row['level']}".strip(),
         interval(row | {"difference": row["effect"]}), _share(row["share"])]
        for row in ({str(k): v for k, v in one.items()} for one in moved.to_dict("records"))
    ]  # fmt: skip
    text = (
        "Main effects by linear regression: of a factor with numbers from its smallest to its "
        "largest level, of others from the mean of all levels, with 95 % intervals. The share is "
        "how much of the spread between points would go without the factor."
    )
    head = ["figure", "factor", "effect (interval)", "share of spread"]
    whole = table(head, rows, "Main effects", numbers=True)
    return [tag("p", text, class_="small"),
            tag("details", tag("summary", "main effects as a table"), whole)]  # fmt: skip


def _share(share: float) -> str:
    return amount(share, "share")


def _scenarios(found: StudyResults, bases: list[Scenario]) -> Iterator[Html]:
    for base in bases:
        if len(bases) > 1:
            yield tag("h3", base.name)
        yield background.explained(base)
        yield background.as_run(base.name, base.as_data())
    yield background.as_run(found.name, _study_file(found, bases))


def _study_file(found: StudyResults, bases: list[Scenario]) -> dict[str, Any]:
    """The study as run, beside its scenarios as run."""
    data = dict(found.manifest["study_as_run"])
    # The scenarios as run hold its settings already.
    data.pop("set", None)
    files = [_file(base.name) for base in bases]
    named = {"scenario": files[0]} if len(files) == 1 else {"scenarios": files}
    return {**named, **data, "replications": int(found.points["asked"].max())}


def _file(name: str) -> str:
    return f"{name}.toml"


def _assumed(found: StudyResults, bases: list[Scenario]) -> Iterator[Html]:
    yield background.assumption_table(bases[0])
    varied = ", ".join(_names(found))
    text = f"All points assume the same but for what varies: {varied or 'the scenario'}."
    yield tag("p", text, class_="small")


def _quality(found: StudyResults) -> Iterator[Html]:
    asked, whole = (int(found.points[name].sum()) for name in ("asked", "whole"))
    items = [f"{whole} of {asked} replications are whole, {len(found.failures)} failed."]
    if found.points["asked"].max() < 5:
        items.append("So few replications make wide intervals: five or more are better.")
    missing = _missing(found)
    if missing:
        items.append(f"Nothing to count, somewhere, for: {', '.join(missing)}.")
    yield tag("ul", [tag("li", text) for text in items])
    yield from (tag("p", note, class_="warning") for note in found.notes)
    yield html(background.failures(found.failures))


def _missing(found: StudyResults) -> list[str]:
    shown = pd.MultiIndex.from_tuples([figure_of(name) for name in found.shown])
    empty = found.frame[found.frame["value"].isna()]
    rows = empty[pd.MultiIndex.from_frame(empty[["kpi", "group"]]).isin(shown)]
    return [label(kpi, group) for kpi, group in rows[["kpi", "group"]].drop_duplicates().to_numpy()]


def _again(found: StudyResults, bases: list[Scenario]) -> Iterator[Html]:
    install = f"pip install support-desk-twin=={found.manifest.get('versions', {}).get('twin', '')}"
    files = [_file(name) for name in (*(base.name for base in bases), found.name)]
    steps = [
        html(["Install the same version: ", tag("code", install), "."]),
        html(["Save what is above, as run, as ", tag("code", " ".join(files)), "."]),
        html("Run it; results do not depend on the number of workers."),
    ]
    yield tag("ol", [tag("li", step) for step in steps])
    yield tag("pre", tag("code", command("twin", "study", files[-1])), tabindex="0", role="region",
              aria_label="Command")  # fmt: skip
    versions = found.manifest.get("versions", {})
    rows = [
        ["seed", str(bases[0].seed)],
        ["commit", str(found.manifest.get("commit") or "not from a checkout")],
        ["versions", ", ".join(f"{key} {value}" for key, value in versions.items())],
    ]
    yield table(["what", "value"], rows, "What the study rests on")
