"""The explorer of a study: sliders for its factors, figures at once, the best under targets.

What a page holds was fitted and checked in Python; its script only evaluates that. Names of factors
and levels come from a study's file: they are escaped, in the page and in its data.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from html import unescape
from importlib import resources
from typing import Any

import numpy as np

from twin.common.html import Html, html, table, tag
from twin.common.text import amount, label, scaled
from twin.experiments.studies.explorer import ROUNDING, Explored, Explorer, Factor
from twin.measures.figures import FIGURES, GUARDS, figure_of
from twin.report import background, frame, study
from twin.scenario.model import Target
from twin.stats.surrogate import LEAST_LEVELS

MOST_BYTES = 3_000_000
# A table of more points is left to the study's report.
_MOST_POINTS = 400


def page(explorer: Explorer) -> str:
    """The explorer as HTML; see `twin.report.page`.

    Raises
    ------
    ValueError
        If the page would be too large.
    """
    found = explorer.study
    files = resources.files("twin.report")
    script, style = (
        (files / name).read_text(encoding="utf-8") for name in ("explore.js", "explore.css")
    )
    ended = str(found.manifest.get("ended", ""))[:10]
    source = f"from a study of {ended}" if ended else "from a study in memory"
    whole = frame.frame(found.name, [found.question], list(_parts(explorer)), source, script, style)
    if (size := len(whole.encode())) > MOST_BYTES:
        raise ValueError(
            f"the page would have {size / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:.0f}: "
            "name the figures that are wanted, as --kpi service_level, or study fewer points"
        )
    return whole


def _parts(explorer: Explorer) -> Iterator[frame.Part]:
    yield "explore", "Explore", list(_explore(explorer))
    yield "best", "The best setting", list(_best(explorer))
    yield "along", "Along a factor", list(_along(explorer))
    yield "checked", "How far between points was checked", list(_checked(explorer))
    found = explorer.study
    if len(found.points) <= _MOST_POINTS:
        yield "points", "All points", [study.points(found)]
    base = next((one for name in found.points["scenario"] if (one := found.scenario(name))), None)
    if base is not None:
        text = "All points assume the same but for what the sliders change."
        yield "assumptions", "What is assumed", [background.assumption_table(base),
                                                 tag("p", text, class_="small")]  # fmt: skip


def _explore(explorer: Explorer) -> Iterator[Html]:
    replications = int(explorer.study.points["asked"].max())
    how = (
        f"Move the sliders within the {len(explorer.study.points)} points that were played, "
        f"{replications} replication{'s' * (replications > 1)} each. In brackets is the 95 % "
        "interval; between points it holds the error of interpolation, too."
    )
    yield tag("p", how, class_="small")
    yield tag("noscript", tag("p", "The sliders need JavaScript; the points are below.",
                              class_="warning"))  # fmt: skip
    knobs = tag(
        "fieldset",
        tag("legend", "Setting"),
        [_knob(number, factor) for number, factor in enumerate(explorer.factors)],
        tag("p", "", id="where", class_="small", role="status"),
        tag("p", tag("button", "Start again", type="button", id="start")),
    )
    rows = [_row(number, one, explorer) for number, one in enumerate(explorer.figures)]
    figures = [_figures(rows[: explorer.first], "Figures here")]
    if more := rows[explorer.first :]:
        summary = tag("summary", f"{len(more)} more figures")
        figures.append(tag("details", summary, _figures(more, "More figures here")))
    yield tag("form", knobs, tag("div", figures), class_="explorer", autocomplete="off")
    # Marks that could end the script or begin a comment in it are written as numbers.
    data = json.dumps(as_data(explorer), separators=(",", ":"), allow_nan=False)
    for mark in "<>&":
        data = data.replace(mark, f"\\u{ord(mark):04x}")
    yield tag("script", Html(data), type="application/json", id="explorer-data")


def _knob(number: int, factor: Factor) -> Html:
    name, at = f"factor-{number}", factor.start
    chosen = tag(
        "label",
        tag("input", type="checkbox", id=f"free-{number}", checked=not factor.axis.met),
        "may be chosen for the best setting",
        class_="choose",
    )
    if factor.axis.numbers is None:
        options = [
            tag("option", text, value=k, selected=k == at) for k, text in enumerate(factor.texts)
        ]
        label_ = tag("div", tag("label", factor.axis.name, for_=name))
        return tag("div", label_, tag("select", options, id=name), chosen, class_="knob")
    marks = [
        tag("option", value=k) for k, text in enumerate(factor.texts) if text in factor.axis.levels
    ]
    head = tag("div", tag("label", factor.axis.name, for_=name),
               tag("output", factor.texts[at], for_=name, id=f"shown-{number}"))  # fmt: skip
    slider = tag("input", type="range", id=name, min="0", max=len(factor.texts) - 1, step="1",
                 value=at, list=f"levels-{number}", aria_valuetext=factor.texts[at])  # fmt: skip
    return tag("div", head, slider, tag("datalist", marks, id=f"levels-{number}"), chosen,
               class_="knob")  # fmt: skip


def _figures(rows: list[list[object]], caption: str) -> Html:
    whole = table(["figure", "value (interval)", "target", "verdict"], rows, caption)
    return Html(whole.replace("<table>", '<table class="asked">', 1))


def _row(number: int, one: Explored, explorer: Explorer) -> list[object]:
    name = label(one.kpi, one.group)
    target = next((t for key, t in explorer.targets.items() if _is(one, key)), None)
    per, before, after = _unit(one)
    side, limit = _preset(target)
    sides = {"": "no target", "least": "at least", "most": "at most"}
    options = [
        tag("option", words, value=value, selected=value == side) for value, words in sides.items()
    ]
    shown = "" if math.isnan(limit) else f"{limit * per:.6g}"
    controls = tag(
        "div",
        tag("select", options, id=f"side-{number}", aria_label=f"Target of {name}"),
        tag("span", before, tag("input", type="number", step="any", id=f"limit-{number}",
                                value=shown, aria_label=f"Limit of {name}"), after),
        class_="target",
    )  # fmt: skip
    value = tag("span", "", id=f"figure-{number}")
    from_ = tag("span", "", id=f"from-{number}", class_="small")
    return [name, tag("div", value, from_), controls, tag("span", "", id=f"said-{number}")]


def _is(one: Explored, name: str) -> bool:
    return one.key == figure_of(name)


def _preset(target: Target | None) -> tuple[str, float]:
    if target is None:
        return "", math.nan
    if target.at_most is not None:
        return "most", target.at_most
    return "least", target.at_least if target.at_least is not None else math.nan


def _best(explorer: Explorer) -> Iterator[Html]:
    how = (
        "Of all settings on the sliders: a setting surely meets its targets if the whole interval "
        "of each figure does, and does not if the whole interval of one misses it; else perhaps. "
        "Others may be as good as the best where their intervals meet. "
        "Factors that may not be chosen stay as the sliders have them."
    )
    yield tag("p", how, class_="small")
    goals = [
        tag("option", label(one.kpi, one.group), value=k, selected=_is(one, explorer.goal))
        for k, one in enumerate(explorer.figures)
    ]
    high = FIGURES[figure_of(explorer.goal)[0]].better == "higher"
    which = [
        tag("option", words, value=value, selected=(value == "yes") == high)
        for value, words in (("no", "lowest"), ("yes", "highest"))
    ]
    goal = tag(
        "div",
        tag("label", "Best is the ", tag("select", which, id="highest")),
        tag("label", " figure ", tag("select", goals, id="goal")),
        class_="goal",
    )
    answers = [
        tag("p", tag("strong", words, id=f"{name}-name"), ": ",
            tag("span", "", id=f"{name}-text"), " ",
            tag("button", "Set the sliders to it", type="button", id=f"{name}-set", hidden=True,
                aria_describedby=f"{name}-text"), id=f"{name}-line")
        for name, words in (("surely", "Surely meets the targets"),
                            ("perhaps", "Perhaps meets them, and better"))
    ]  # fmt: skip
    yield tag("form", goal, tag("p", "", id="counts", role="status"),
              tag("div", answers, class_="answers answer"), autocomplete="off")  # fmt: skip


def _along(explorer: Explorer) -> Iterator[Html]:
    figures = [
        tag("option", label(one.kpi, one.group), value=k) for k, one in enumerate(explorer.figures)
    ]
    axes = [tag("option", one.axis.name, value=k) for k, one in enumerate(explorer.factors)]
    yield tag("form", tag("label", "Figure ", tag("select", figures, id="drawn")),
              tag("label", "along ", tag("select", axes, id="along-factor")), id="along-form",
              autocomplete="off")  # fmt: skip
    chart = Html('<svg id="chart" role="img" aria-labelledby="chart-words"></svg>')
    yield tag("div", chart, tag("p", "", id="chart-words", class_="small"), id="plot")


def _checked(explorer: Explorer) -> Iterator[Html]:
    rows = []
    for one in explorer.figures:
        for factor, check in zip(explorer.factors, one.surrogate.checks, strict=True):
            if factor.axis.open and check.left_out:
                way = "by ratio" if one.surrogate.log else "straight lines"
                rows.append([
                    label(one.kpi, one.group), factor.axis.name, check.left_out,
                    amount(check.typical, one.unit), amount(check.worst, one.unit),
                    way if check.used else "too far off: points only",
                ])  # fmt: skip
    if rows:
        text = (
            "Each level that has neighbours on both sides was left out and predicted from them. A "
            "figure that is missed by more than a tenth of its range, and by more than its "
            "interval is wide to a side, is not interpolated along that factor. Between two "
            "levels the larger error of those next to there is added to the interval: whole in "
            "the middle, nothing at the points."
        )
        yield tag("p", text, class_="small")
        head = ["figure", "along", "points left out", "typical error", "largest", "between points"]
        whole = table(head, rows, "Errors of points that were left out", numbers=True)
        yield tag("details", tag("summary", f"all {len(rows)} checks as a table"), whole)
        for k, factor in enumerate(explorer.factors):
            out = [label(one.kpi, one.group) for one in explorer.figures
                   if (check := one.surrogate.checks[k]).left_out and not check.used]  # fmt: skip
            if factor.axis.open and len(factor.axis.levels) >= LEAST_LEVELS:
                said = f"All figures are interpolated along {factor.axis.name}."
                if out:
                    said = f"Not interpolated along {factor.axis.name}: {', '.join(out)}."
                yield tag("p", said)
    bare = [f.axis.name for f in explorer.factors
            if f.axis.open and len(f.axis.levels) < LEAST_LEVELS]  # fmt: skip
    if bare:
        yield tag("p", f"Too few levels to check what lies between them ({LEAST_LEVELS} are "
                       f"needed), so points only: {', '.join(bare)}.")  # fmt: skip
    if not rows and not bare:
        yield tag("p", "Every value of each factor was played: nothing is interpolated.")


def as_data(explorer: Explorer) -> dict[str, Any]:
    """Plain data that the page evaluates; missing is None."""
    return {
        "rounding": ROUNDING,
        "shape": [len(one.axis.levels) for one in explorer.factors],
        "factors": [
            {"name": _shown(one.axis.name), "levels": list(map(_shown, one.axis.levels)),
             "texts": list(map(_shown, one.texts)),
             "at": one.axis.positions.tolist(), "stops": one.stops.tolist(), "start": one.start,
             "ordered": one.axis.open}
            for one in explorer.factors
        ],
        "figures": [_figure_data(one) for one in explorer.figures],
    }  # fmt: skip


def _figure_data(one: Explored) -> dict[str, Any]:
    fitted = one.surrogate
    per, before, after = _unit(one)
    return {
        "label": _shown(label(one.kpi, one.group)), "unit": one.unit,
        "per": per, "before": before, "after": after,
        # Whether it may look good because customers are lost, and whether it shows that they are.
        "leaves": FIGURES[one.kpi].guarded, "guards": one.kpi in GUARDS,
        "log": fitted.log, "least": _number(fitted.least), "most": _number(fitted.most),
        "value": _list(fitted.values), "below": _list(fitted.below), "above": _list(fitted.above),
        "errors": [None if stated is None else _list(stated) for stated in fitted.errors],
    }  # fmt: skip


def _unit(one: Explored) -> tuple[float, str, str]:
    """One unit for a figure all over the page: that of its median."""
    size = float(np.nanmedian(np.abs(one.surrogate.values))) if one.counted else 0.0
    return scaled(one.unit, size)


def _shown(text: str) -> str:
    """A text without what HTML cannot show, as it is everywhere else on the page."""
    return unescape(html(text))


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _list(values: Any) -> list[float | None]:
    return [_number(float(value)) for value in values.flat]
