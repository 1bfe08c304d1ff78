"""The command ``twin pull``: a desk's history straight from its help desk."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from twin.cli.histories import as_data, tell_history
from twin.cli.terminal import Json, err, plain_errors, print_json


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command("pull")(pull_history)


def pull_history(
    tool: Annotated[Literal["zendesk", "jira", "rt"], typer.Argument(show_default=False)],
    since: Annotated[
        datetime, typer.Option(help="Take what was created or changed from then on (UTC).",
                               show_default=False)
    ],
    to: Annotated[Path, typer.Option("--out", help="Folder of the history.")] = Path("history"),
    url: Annotated[
        str, typer.Option(help="Address of the help desk; default: TWIN_<TOOL>_URL.")
    ] = "",
    user: Annotated[
        str, typer.Option(help="Mail address of the token's owner; default: TWIN_<TOOL>_USER.")
    ] = "",
    zone: Annotated[
        str | None, typer.Option(help="Time zone of the desk, as Europe/London; default: UTC.")
    ] = None,
    category_field: Annotated[
        str, typer.Option(help="RT: the custom field with the category.")
    ] = "",
    rating_field: Annotated[
        str, typer.Option(help="RT: the custom field with the customer's stars, 1 to 5.")
    ] = "",
    queue: Annotated[str, typer.Option(help="RT: tickets of this queue only.")] = "",
    texts: Annotated[
        bool, typer.Option("--texts", help="Keep customers' texts, in a file of their own.")
    ] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Pull a desk's history from its help desk; again with the same options, only what is new.

    The token is read from TWIN_<TOOL>_TOKEN or the keyring, and never written anywhere. A pull that
    was stopped goes on where it was.
    """
    with plain_errors("--out"):
        from twin.live.connectors.accounts import find_account
        from twin.live.connectors.choose import source, wire_of
        from twin.live.connectors.help_desk import Rules
        from twin.live.connectors.pulled import about_pull, pull

        account = find_account(tool, url, user)
        rules = Rules(category_field if tool == "rt" else "", rating_field, queue)
        began = since.replace(tzinfo=since.tzinfo or UTC).timestamp()
        with closing(wire_of(account)) as wire:
            history = pull(
                source(account, wire, rules), about_pull(account.name, began, texts), began, to,
                tool, zone, lambda count: err.print(f"pulled: {count:,} objects"),
            )  # fmt: skip
        if as_json:
            print_json(as_data(history, to))
        else:
            tell_history(history, to)
