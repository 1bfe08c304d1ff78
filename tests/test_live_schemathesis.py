"""The API against its own description: whatever schemathesis thinks of, it does as it says."""

import pytest

schemathesis = pytest.importorskip("schemathesis")

from hypothesis import HealthCheck, settings  # noqa: E402

from tests.live_desk import Small  # noqa: E402
from twin.live.api import Settings  # noqa: E402

TOKEN = "a-token-of-enough-characters"


@pytest.fixture
def api(tmp_path):
    small = Small(tmp_path)
    # Tickets in several statuses, for what it asks about one.
    for text in ("login", "other", "unsure", "payment"):
        small.file(text)
    yield schemathesis.openapi.from_wsgi("/openapi.json", small.app)
    small.store.close()


@pytest.fixture
def guarded(tmp_path):
    small = Small(tmp_path, settings=Settings(token=TOKEN, rate=0))
    yield schemathesis.openapi.from_wsgi("/openapi.json", small.app)
    small.store.close()


schema = schemathesis.pytest.from_fixture("api")
protected = schemathesis.pytest.from_fixture("guarded")
few = settings(
    max_examples=25, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@schema.parametrize()
@few
def test_it_does_as_it_says(case):
    case.call_and_validate()


@protected.parametrize()
@few
def test_with_a_token_too(case):
    case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"})


@pytest.mark.slow
@schema.parametrize()
@settings(few, max_examples=400)
def test_it_does_as_it_says_at_length(case):
    case.call_and_validate()
