"""The API against its own description: whatever schemathesis thinks of, it does as it says."""

import pytest

schemathesis = pytest.importorskip("schemathesis")

from schemathesis.engine import from_schema  # noqa: E402
from schemathesis.engine.events import (  # noqa: E402
    EngineFinished,
    FatalError,
    NonFatalError,
    ScenarioFinished,
)

from tests.live_desk import Small  # noqa: E402
from twin.live.api import Settings  # noqa: E402

TOKEN = "a-token-of-enough-characters"


def faults(small, examples, **settings):
    """Faults that schemathesis finds in its phases: examples, edges, random cases, sequences."""
    # Tickets in several statuses, for what it asks about one.
    for text in ("login", "other", "unsure", "payment"):
        small.desk.process(body(text), None)
    config = schemathesis.Config.from_dict(
        {
            "generation": {"max-examples": examples, "deterministic": True, "database": "none"},
            **settings,
        }
    )
    schema = schemathesis.openapi.from_wsgi("/openapi.json", small.app, config=config)
    found, cases, ended = [], 0, False
    for event in from_schema(schema).execute():
        if isinstance(event, FatalError | NonFatalError):
            found.append(repr(event))
        elif isinstance(event, ScenarioFinished):
            cases += len(event.recorder.cases)
            for checks in event.recorder.checks.values():
                failed = [check.failure_info for check in checks if check.failure_info]
                found += [f"{info.failure}\n{info.code_sample}" for info in failed]
        ended = ended or isinstance(event, EngineFinished)
    assert ended
    return found, cases


def body(text):
    from twin.live.bodies import TicketIn

    return TicketIn(description=text)


def test_it_does_as_it_says(small):
    found, cases = faults(small, 5)
    assert not found, "\n\n".join(found[:5])
    assert cases > 300


@pytest.mark.slow
def test_with_a_token_too(tmp_path):
    small = Small(tmp_path, settings=Settings(token=TOKEN, rate=0))
    # Its check of requests without the token does not know WSGI; test_live_access.py has its own.
    found, _ = faults(
        small, 20, headers={"Authorization": f"Bearer {TOKEN}"},
        checks={"ignored_auth": {"enabled": False}},
    )  # fmt: skip
    assert not found, "\n\n".join(found[:5])
    small.store.close()


@pytest.mark.slow
def test_it_does_as_it_says_at_length(small):
    found, cases = faults(small, 200)
    assert not found, "\n\n".join(found[:5])
    assert cases > 2000
