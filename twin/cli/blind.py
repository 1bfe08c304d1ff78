"""The commands ``twin blind`` and ``twin votes``: two models rated by people who see no names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from twin.cli.terminal import BAD_INPUT, Json, fail, out, plain_errors, print_json


def register(app: typer.Typer) -> None:
    """Add the commands to `twin`."""
    for command in (blind, votes):
        app.command()(command)


def blind(
    recordings: Annotated[
        list[Path], typer.Argument(help="Recordings of two models.", show_default=False)
    ],
    to: Annotated[Path, typer.Option("--out", help="Page of HTML to write.")],
    model: Annotated[
        list[str] | None, typer.Option(help="Of more than two, these; given twice.")
    ] = None,
    pairs: Annotated[int, typer.Option(min=1, max=1000, help="Pairs at most.")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="Of order and sides.")] = 1,
) -> None:
    """Write a page on which people rate two models' answers without their names."""
    with plain_errors():
        from twin.assistant.errors import AssistantError
        from twin.common.text import command
        from twin.experiments.blind import pairs_of, write_key
        from twin.experiments.model_table import read_models
        from twin.report.blind import write

        try:
            several = read_models(recordings)
        except AssistantError as error:
            fail(str(error), BAD_INPUT)
        if model:
            several = [one for one in several if one.name in model]
        if len(several) != 2:
            names = ", ".join(one.name for one in several) or "none of them"
            fail(f"two models are rated, and there are: {names}; choose with --model", BAD_INPUT)
        first, second = several
        made = pairs_of(first, second, most=pairs, seed=seed)
        key = write_key(made, to.with_suffix(".sides.json"))
        out.print(f"page: {write(made, to)}, {len(made.pairs)} pairs", soft_wrap=True)
        if made.alike:
            out.print(f"left out: {made.alike} tickets with the same answer by both")
        out.print(f"sides: {key} (not for raters); then:", soft_wrap=True)
        out.print(f"  {command('twin', 'votes', key)} VOTES.json", soft_wrap=True)


def votes(
    sides: Annotated[Path, typer.Argument(help="File of sides, as twin blind writes it.")],
    files: Annotated[list[Path], typer.Argument(help="Votes, a file a rater.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Count votes of twin blind: which model won more tickets, by a sign test."""
    with plain_errors():
        from dataclasses import asdict

        from twin.experiments.blind import count, read_key

        key = read_key(sides)
        found = count(key, files)
        if as_json:
            print_json({"first": key["first"], "second": key["second"], **asdict(found)})
            return
        first, second = key["first"], key["second"]
        out.print(
            f"{first} won {found.first_wins}, {second} {found.second_wins}, {found.ties} ties"
        )
        if found.first_wins + found.second_wins:
            out.print(
                f"{second} won {100 * found.share:.1f} % of tickets with a winner "
                f"[{100 * found.low:.1f}, {100 * found.high:.1f}], log odds {found.strength:+.2f} "
                f"[{found.strength_low:+.2f}, {found.strength_high:+.2f}]"
            )
        told = "differ" if found.differs else "cannot be told apart"
        out.print(f"they {told}: p = {found.p:.3f}, two-sided sign test without ties")
        if len(files) > 1:
            told = f"agree to alpha {found.agreement:.2f}"
            if found.agreement != found.agreement:
                told = "gave one vote to all pairs, which does not show how far they agree"
            out.print(f"{len(files)} raters {told}")
