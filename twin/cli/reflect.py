"""The command ``twin reflect``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twin.cli.terminal import (
    BAD_INPUT,
    FAILED,
    Changes,
    Json,
    each,
    err,
    fail,
    name_provider,
    out,
    plain_errors,
    print_json,
)

if TYPE_CHECKING:
    from twin.assistant.learning.change import Change


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command()(reflect)


def reflect(
    ratings: Annotated[
        Path,
        typer.Argument(
            help="Rated answers: a feedback store (JSON) of the live desk or of a run, or a "
            "recording (.jsonl), whose answers the judge rates.",
            show_default=False,
        ),
    ],
    scenario: Annotated[
        Path,
        typer.Option(help="Scenario file (TOML) whose prompt to change.", show_default=False),
    ],
    to: Annotated[
        Path | None, typer.Option("--out", help="New file (TOML) of the change, to read and take.")
    ] = None,
    take: Annotated[
        Path | None,
        typer.Option(
            metavar="SCENARIO",
            help="If the guard lets it pass: write a new scenario that takes it. Default: nothing "
            "is taken until assistant.learning.change names it.",
        ),
    ] = None,
    propose: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="A guideline of your own, instead of the model's."),
    ] = None,
    tickets: Annotated[
        int, typer.Option(min=30, max=1000, help="Most held-back tickets, each answered twice.")
    ] = 100,
    recording: Annotated[
        Path | None,
        typer.Option(help="File of replies; default: assistant.recording, else recordings/NAME."),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(help="Log of all changes tested; default: beside the recording."),
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(min=0, help="Stop before more USD could be spent.")
    ] = None,
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Propose a change of the prompt from badly rated answers, and test it on held-back tickets."""
    if take is not None and to is None:
        fail("--take: needs --out, the file that the scenario will name", BAD_INPUT)
    for path in filter(None, (to, take)):
        if path.exists():
            fail(f"{path}: is there already; name a new file", BAD_INPUT)
    with plain_errors("--out"):
        from twin.assistant.learning.change import BETTER, write_change
        from twin.common.files import write_text
        from twin.common.toml import dump
        from twin.experiments.checks import check
        from twin.experiments.reflect import reflect as reflect_on
        from twin.experiments.reflect_calls import calls, recording_of
        from twin.experiments.reflections import read_ratings
        from twin.scenario.changes import parse_change
        from twin.scenario.file import load

        from_file = load(scenario, dict(each(changes or [], parse_change)))
        check(from_file)
        kept = recording_of(from_file, recording)
        logged = log or kept.with_suffix(".changes.jsonl")
        rated = ratings / "feedback.json" if ratings.is_dir() else ratings
        name_provider([from_file])
        with calls(from_file, kept, max_cost) as fetch_of:
            entries = read_ratings(rated, from_file)
            change = reflect_on(from_file, entries, fetch_of, logged, tickets, propose or ())
        taken = take is not None and change.verdict == BETTER
        if to is not None:
            write_change(to, change)
        if to is not None and take is not None and taken:
            base, named = (
                Path(os.path.relpath(path.resolve(), take.parent.resolve())).as_posix()
                for path in (scenario, to)
            )
            data = {"extends": base, "assistant": {"learning": {"change": named}}}
            write_text(take, dump(data) + "\n")
        if as_json:
            print_json({**change.as_dictionary(), "log": str(logged), "taken": taken})
        else:
            _print(change)
            out.print(f"log: {logged}", soft_wrap=True)
            if to is not None:
                out.print(f"change: {to}", soft_wrap=True)
            if taken:
                out.print(f"taken by: {take}", soft_wrap=True)
        if take is not None and not taken:
            err.print(f"nothing was taken, and {take} was not written")
            raise typer.Exit(FAILED)


def _print(change: Change) -> None:
    told = change.proposal
    numbers = told["ratings"]["numbers"]
    of = f"ratings {', '.join(map(str, numbers))} of {told['ratings']['file']}"
    out.print(f"proposed by {told['by']}" + (f", from {of}" if numbers else ""))
    for reason in told["refused"]:
        out.print(f"refused: a guideline that {reason}")
    if change.diff:
        out.print(change.diff.rstrip())
    found = change.evidence
    if found:
        out.print(
            f"judged quality on {found['tickets']} held-back tickets: {found['quality_before']:.3f}"
            f" before, {found['quality_after']:.3f} with it ({found['gain']:+.3f}, 95 % by a t test"
            f" {found['gain_low']:+.3f} to {found['gain_high']:+.3f}); "
            f"{found['better_tickets']} better, {found['worse_tickets']} worse"
        )
        out.print(
            f"tokens a call: {found['tokens_before']:.0f} before, {found['tokens_after']:.0f} with"
        )
        out.print(
            f"look {found['look']} of {found['looks']}: by luck alone at most "
            f"{found['chance_by_luck']:.3g}, and {found['at_most']:.3g} is allowed"
        )
    out.print(f"verdict: {change.verdict}")
