"""Background for trusting and repeating a run: scenario, assumptions, checks, commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twin.common.errors import ScenarioError
from twin.common.html import Html, html, table, tag, with_code
from twin.common.text import command, estimate, label
from twin.common.toml import dump
from twin.measures.figures import MAIN
from twin.records.tables import OPEN_STATUSES
from twin.report.assumptions import assumptions
from twin.report.explain import explain
from twin.scenario.diff import set_values

if TYPE_CHECKING:
    import pandas as pd

    from twin.experiments.results import Results
    from twin.report.source import Source
    from twin.scenario.model import Scenario

# An interval wider than this share of its value (either way) deserves a word.
_WIDE = 0.1
_FROM = {"set": "scenario", "assumed": "assumed: not in the history", "default": "default"}


def scenarios(sources: Sequence[Source]) -> list[Html]:
    """Each scenario in sentences, as a difference, and as run."""
    parts: list[Html] = []
    for k, source in enumerate(sources):
        if len(sources) > 1:
            parts.append(tag("h3", source.name))
        parts.append(explained(source.scenario))
        base = source.manifest.get("base") or {}
        if base.get("changes"):
            parts.append(changes_table(base["changes"], str(base["file"])))
        elif base.get("file"):
            parts.append(tag("p", f"As in {base['file']}."))
        if k:
            parts += _against(source, sources[0])
        parts.append(as_run(source.name, source.manifest["scenario_as_run"]))
    return parts


def explained(scenario: Scenario) -> Html:
    """A scenario in sentences."""
    try:
        sentences = explain(scenario)
    except (ScenarioError, OSError):
        gone = "The files it was run with have gone or changed, so it cannot be put into words."
        sentences = [gone]
    return tag("ul", [tag("li", sentence) for sentence in sentences])


def as_run(name: str, data: dict[str, Any]) -> Html:
    """A file that gives the same again, folded."""
    whole = tag("pre", tag("code", dump(data)), tabindex="0", role="region",
                aria_label=f"{name} as run")  # fmt: skip
    return tag("details", tag("summary", f"{name} as run (TOML)"), whole)


def _against(source: Source, first: Source) -> list[Html]:
    old, new = (dict(set_values(s.scenario)) for s in (first, source))
    keys = [k for k in dict.fromkeys([*old, *new]) if k not in ("name", "question")]
    changed = [(k, old.get(k, "-"), new.get(k, "-")) for k in keys if old.get(k) != new.get(k)]
    if not changed:
        return [tag("p", f"As {first.name}.")]
    return [changes_table(changed, first.name)]


def assumed(sources: Sequence[Source]) -> list[Html]:
    """The assumptions of the first run, with the keys that change them."""
    text = "The others assume the same but for the differences above."
    more = [tag("p", text, class_="small")] if len(sources) > 1 else []
    return [assumption_table(sources[0].scenario), *more]


def assumption_table(scenario: Scenario) -> Html:
    """Assumptions of a scenario, with the keys that change them."""
    head = ["about", "assumption", "key", "from"]
    rows = [
        [about, text, tag("code", key), _FROM[origin]]
        for about, text, key, origin in assumptions(scenario)
    ]
    return table(head, rows, f"Assumptions of {scenario.name}")


def quality(results: Results, sources: Sequence[Source]) -> list[Html]:
    """Quality of the data: amount, missing figures, sums that do not match, and failures."""
    parts: list[Html] = []
    items = [tag("li", text) for source in sources for text in _amounts(source)]
    parts.append(tag("ul", *items))
    parts += [tag("p", with_code(note), class_="warning") for note in results.notes]
    checks = results.sanity()
    if len(checks):
        rows = [
            [f"{row['scenario']}: {row['check']}" if len(sources) > 1 else row["check"],
             f"{row['expected']:.6g}", f"{row['found']:.6g}", row["replications"],
             tag("span", "holds", class_="ok") if row["ok"]
             else tag("span", "does not hold", class_="bad")]
            for row in checks.to_dict("records")
        ]  # fmt: skip
        head = ["check", "expected", "found", "replications", "verdict"]
        text = (
            "Both sides are found independently; of each check this is the worst replication. "
            "A bound holds where the figure found is no higher."
        )
        parts += [tag("h3", "Does it add up?"), tag("p", text),
                  table(head, rows, "Checks of the runs", numbers=True)]  # fmt: skip
    parts += failures(results.failures)
    return parts


def _amounts(source: Source) -> list[str]:
    run = source.run
    whole = f"{run.whole} of {run.asked} replications are whole"
    found = [f"{source.name}: {whole}, {run.failed} failed."]
    if run.whole < 5:
        found.append("So few replications make wide intervals: five or more are better.")
    count = early = over = 0
    for tickets in source.pieces("tickets", ["arrived_s", "status"]):
        count += len(tickets)
        early += int((tickets["arrived_s"] < source.scenario.warm_up).sum())
        over += int(tickets["status"].isin(OPEN_STATUSES).sum())
    found.append(
        f"{count:,} tickets in all, {early:,} of them in the warm-up; "
        f"{over:,} ({over / max(1, count):.1%}) still open at the end.".replace("%", " %")
    )
    rows = source.summary[(source.summary["group"] == "") & source.summary["kpi"].isin(MAIN)]
    wide = rows[rows["half_width"] > _WIDE * rows["value"].abs()]
    said = [f"{label(row['kpi'])} ({estimate(row)})" for row in wide.to_dict("records")]
    if said:
        found.append(f"Known to no better than 10 %: {', '.join(said)}.")
    commit = str(source.manifest.get("commit") or "")
    if commit.endswith("-dirty"):
        found.append("The code had changes that are in no commit.")
    return found


def failures(table_of: pd.DataFrame) -> list[Html]:
    """The replications that failed, with their reasons; empty without any."""
    if not len(table_of):
        return []
    rows = [
        [f"{row['scenario']}, replication {row['replication']}", row["stage"], row["type"],
         row["message"]]
        for row in table_of.head(50).to_dict("records")
    ]  # fmt: skip
    more = len(table_of) - len(rows)
    parts = [tag("h3", "Failures"),
             table(["replication", "stage", "type", "message"], rows, "Failures")]  # fmt: skip
    return [*parts, tag("p", f"and {more} more")] if more else parts


def again(sources: Sequence[Source]) -> list[Html]:
    """Commands that repeat the run, and the versions they need."""
    parts: list[Html] = []
    files = [f"{source.name}.toml" for source in sources]
    steps = [
        html("Install the same version: "),
        html(["Save the scenario as run, above, as ", tag("code", ", ".join(files)), "."]),
        html("Run it; results do not depend on the number of workers."),
    ]
    version = sources[0].manifest.get("versions", {}).get("twin", "")
    steps[0] = html([steps[0], tag("code", f"pip install support-desk-twin=={version}"), "."])
    parts.append(tag("ol", [tag("li", step) for step in steps]))
    parts.append(tag("pre", tag("code", command("twin", "run", *files)), tabindex="0",
                     role="region", aria_label="Command"))  # fmt: skip
    folders = [source.run.path for source in sources if source.run.path is not None]
    if folders:
        words = command("twin", "animate", *folders[:2])
        parts.append(tag("p", "To see it ticket by ticket: ", tag("code", words)))
    rows: list[list[object]] = []
    for source in sources:
        manifest = source.manifest
        of = f"{source.name}: " if len(sources) > 1 else ""
        rows.append([f"{of}seed", str(manifest.get("seed", "-"))])
        rows.append([f"{of}commit", str(manifest.get("commit") or "not from a checkout")])
        rows.append([f"{of}started", str(manifest.get("started", "-"))])
        wall = manifest.get("wall_time_s")
        rows.append([f"{of}wall time", "-" if wall is None else f"{wall:,.1f} s"])
        rows += [
            [f"{of}SHA-256 of {key}", tag("code", digest[:16])]
            for key, digest in manifest.get("files", {}).items()
        ]
    versions = sources[0].manifest.get("versions", {})
    rows.append(["versions", ", ".join(f"{name} {number}" for name, number in versions.items())])
    parts.append(table(["what", "value"], rows, "What the runs rest on"))
    return parts


def changes_table(changes: Sequence[Sequence[str]], base: str) -> Html:
    """Changes of a scenario to its base."""
    head = ["key", base, "here"]
    rows = [[tag("code", key), old, new] for key, old, new in changes]
    return table(head, rows, f"Differences from {base}")
