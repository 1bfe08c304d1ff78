"""Settings of a connection: a small TOML file, which holds no token."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from twin.common.errors import Fault, ScenarioError
from twin.common.files import read_text, reason
from twin.live.connectors.help_desk import Rules
from twin.scenario.model import Priority

_MOST_BYTES = 100_000
_SECRET = ("token", "password", "secret", "key")


class Settings(BaseModel):
    """Settings of a connection; all may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = ""
    user: str = ""
    since: datetime | None = None
    category_field: str = ""
    rating_field: str = ""
    queue: str = ""
    # How often is looked for what is new, where no webhook tells.
    poll_s: Annotated[float, Field(ge=1.0, le=86_400.0)] = 30.0
    # Longer than any request of the help desk may go on after its connection was lost (assumed).
    settle_s: Annotated[float, Field(ge=1.0, le=86_400.0)] = 60.0
    priorities: dict[str, Priority] = Field(default_factory=dict)

    @property
    def rules(self) -> Rules:
        """Fields of the help desk."""
        return Rules(self.category_field, self.rating_field, self.queue)

    def began(self, now: float) -> float:
        """Moment from which tickets are answered: the start, where none is given."""
        if self.since is None:
            return now
        return self.since.replace(tzinfo=self.since.tzinfo or UTC).timestamp()


def read_settings(path: str) -> Settings:
    """Settings of a file; "" gives those that nobody changed.

    Raises
    ------
    ScenarioError
        Naming each key that cannot be used.
    """
    if not path:
        return Settings()
    try:
        data = tomllib.loads(read_text(Path(path), _MOST_BYTES, "settings of a connection"))
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(path, [Fault("", f"not TOML: {error}")]) from None
    except (OSError, ValueError) as error:
        raise ScenarioError(path, [Fault("", reason(error))]) from None
    kept_out = [name for name in data if any(word in name.lower() for word in _SECRET)]
    if kept_out:
        why = "is for the environment or the keyring, never for a file"
        raise ScenarioError(path, [Fault(name, why) for name in kept_out])
    try:
        return Settings(**data)
    except ValidationError as error:
        raise ScenarioError(path, [
            Fault(".".join(map(str, one["loc"])), one["msg"].lower()) for one in error.errors()
        ]) from None  # fmt: skip
