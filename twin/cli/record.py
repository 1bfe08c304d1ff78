"""The command ``twin record``."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twin.cli.terminal import (
    FAILED,
    Changes,
    SkipBad,
    err,
    interrupted,
    name_provider,
    plain_errors,
    progress,
    skipping,
)

if TYPE_CHECKING:
    from twin.assistant.live.fetching import Tally
    from twin.experiments.record import Plan, Recorded


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command()(record)


def record(
    scenario: Annotated[Path, typer.Argument(help="Scenario file (TOML).", show_default=False)],
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many tickets.")
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(min=0, help="Stop before more USD could be spent.")
    ] = None,
    replications: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="Instead of the scenario's own.")
    ] = None,
    recording: Annotated[
        Path | None,
        typer.Option(help="File; default: assistant.recording, else recordings/NAME.jsonl."),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Calls under way at once.")
    ] = None,
    stream: Annotated[
        bool,
        typer.Option("--stream", help="Ask for answers as streams: with time to the first token."),
    ] = False,
    changes: Changes = None,
    skip_bad: SkipBad = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the calls.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only the recording.")] = False,
) -> None:
    """Record a live model's answers to all tickets of a scenario, to be replayed.

    Answers that the recording holds are not asked for again: run it again to go on.
    """
    with plain_errors():
        try:
            _record(
                scenario, changes or [], limit, max_cost, replications, recording, concurrency,
                stream=stream, confirm=not yes and sys.stdin.isatty(), skip_bad=skip_bad,
                quiet=quiet,
            )  # fmt: skip
        except KeyboardInterrupt:
            told = "run the same command to go on: nothing recorded is asked twice"
            interrupted(f"interrupted; {told}")


def _record(
    path: Path,
    changes: list[str],
    limit: int | None,
    max_cost: float | None,
    replications: int | None,
    recording: Path | None,
    concurrency: int | None,
    *,
    stream: bool,
    confirm: bool,
    skip_bad: bool,
    quiet: bool,
) -> None:
    from twin.experiments.checks import check, notes
    from twin.experiments.record import Session, plan
    from twin.scenario.changes import parse_change
    from twin.scenario.file import load

    desk = skipping(load(path, dict(parse_change(change) for change in changes)), skip_bad)
    check(desk)
    for sentence in notes(desk):
        err.print(f"note: {sentence}")
    named = recording or desk.assistant.recording or Path("recordings", f"{desk.name}.jsonl")
    planned = plan(desk, named, replications, limit, concurrency)
    if not quiet:
        err.print("\n".join(_before(planned)))
        name_provider([planned.scenario])
    if confirm and planned.calls and not typer.confirm("Make these calls?", err=True):
        raise typer.Exit(FAILED)
    # Categories decide which answers are asked for, so the total is an estimate.
    shown = bool(planned.calls) and not quiet
    with progress(planned.calls, shown, "calls, by estimate") as told:

        def watch(tally: Tally) -> None:
            if told is not None:
                told(_done(tally), max(planned.calls, _done(tally)))

        session = Session(planned, max_cost, concurrency, watch, stream)
        try:
            session.run()
        finally:
            # Also after an error or Ctrl-C, before its own message.
            done = session.close()
            if not quiet:
                err.print("\n".join(_after(done)))
    typer.echo(str(done.path))
    if done.tally.failed:
        raise typer.Exit(FAILED)


def _before(planned: Plan) -> list[str]:
    """The estimate, in lines."""
    scenario = planned.scenario
    calls = f"{planned.calls:,} calls"
    lines = [
        f"{scenario.name}: {planned.tickets:,} tickets in {len(planned.demands):,} replications, "
        f"model {scenario.assistant.model}",
        f"distinct prompts: {planned.prompts:,}, of them recorded already: {planned.recorded:,}",
        f"estimate: {calls}, {planned.prompt_tokens:,} tokens in, "
        f"{planned.completion_tokens:,} out, {_usd(planned)}, {_time(planned.seconds)} "
        f"on the {scenario.provider.plan} plan",
    ]
    if scenario.assistant.fallback_model is not None:
        other = scenario.assistant.fallback_model
        lines.append(
            f"the fallback model is recorded apart: --set assistant.model={other} "
            "--set assistant.on_failure=escalate"
        )
    if scenario.assistant.judge == "model":
        lines.append(
            f"the judge {scenario.assistant.judge_model} is asked in the end, about each answer: "
            "its calls are not in the estimate, but count in --max-cost"
        )
    return lines


def _usd(planned: Plan) -> str:
    if math.isnan(planned.cost_usd):
        return "cost unknown (the catalogue has no price)"
    return f"about {planned.cost_usd:.4f} USD, at most {planned.most_usd:.4f} USD"


def _time(seconds: float) -> str:
    for size, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"about {seconds / size:.1f} {name}"
    return f"about {max(seconds, 1):.0f} s"


def _after(done: Recorded) -> list[str]:
    """The outcome, in lines."""
    tally = done.tally
    lines = [f"note: {done.note}"] if done.note else []
    failed = sum(tally.failed.values())
    lines.append(
        f"answered: {tally.answered:,}, failed: {failed:,}; recorded in all: {done.replies:,}"
    )
    lines += [
        f"failed, {kind}: {count:,} ({tally.words[kind]})"
        for kind, count in tally.failed.most_common()
    ]
    if tally.sent:
        spent = "unknown" if math.isnan(tally.spent_usd) else f"{tally.spent_usd:.4f} USD"
        share = tally.limited / tally.sent
        seconds = max(tally.ended_s - tally.started_s, 1e-3)
        # A run of less than a minute counts as a minute.
        minutes = max(seconds / 60, 1.0)
        pace = {"rpm": tally.sent / minutes}
        pace["tpm"] = (tally.prompt_tokens + tally.completion_tokens) / minutes
        rates = [
            f"{pace[name]:,.0f} {what} a minute"
            + (f" (limit {done.limits[name]:,})" if name in done.limits else "")
            for name, what in (("rpm", "requests"), ("tpm", "tokens"))
        ]
        lines.append(
            f"{tally.sent:,} requests, {tally.limited:,} of them answered 429 ({share:.1%}), "
            f"{tally.prompt_tokens:,} tokens in, {tally.completion_tokens:,} out, cost {spent}"
        )
        lines.append(f"{seconds:.1f} s: {', '.join(rates)}")
    if tally.uncounted:
        lines.append(f"{tally.uncounted:,} answers came without token counts: theirs are estimated")
    return lines


def _done(tally: Tally) -> int:
    return tally.answered + sum(tally.failed.values())
