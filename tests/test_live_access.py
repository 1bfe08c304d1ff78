"""Access to a live desk: tokens, pages of other sites, and clients that ask too often."""

import pytest

from twin.live.api import Settings

TOKEN = "a-token-of-enough-characters"


def test_a_token_is_asked_for(open_desk):
    desk = open_desk(settings=Settings(token=TOKEN, rate=0))
    for path in ("/tickets", "/models", "/feedback", "/desk"):
        assert desk.client.get(path).status_code == 401
        assert desk.client.get(path).headers["WWW-Authenticate"] == "Bearer"
        for wrong in ("Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer \udcff"):
            answer = desk.client.get(
                path, headers={"Authorization": wrong.encode("utf-8", "replace").decode("latin-1")}
            )
            assert answer.status_code == 401
        right = desk.client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
        assert right.status_code == 200
    assert desk.file().status_code == 401
    assert desk.client.get("/health").status_code == 200
    assert "security" in desk.client.get("/openapi.json").get_json()["paths"]["/tickets"]["get"]
    # With a token any name may lead here.
    named = {"Authorization": f"Bearer {TOKEN}", "Host": "desk.example.org"}
    assert desk.client.get("/tickets", headers=named).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("127.0.0.1:5000", 200), ("[::1]:5000", 200), ("LOCALHOST", 200),
        ("evil.example.org", 421), ("127.0.0.1.example.org", 421), ("localhost.example.org", 421),
    ],
)  # fmt: skip
def test_without_a_token_only_this_machine_is_answered(small, host, status):
    assert small.client.get("/health", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:8501", 200), ("http://127.0.0.1", 200), ("https://[::1]:1", 200),
        ("https://evil.example.org", 403), ("null", 403), ("", 403), ("http://localhost.evil", 403),
        ("https://evil.example.org//localhost", 403), ("http://evil@localhost", 403),
    ],
)  # fmt: skip
def test_a_page_of_another_site_sends_nothing_to_this_machine(small, origin, status):
    """A draft takes no body, so a form of any page could have it written, and paid."""
    small.file()
    asked = len(small.assistant.asked)
    found = small.client.post("/tickets/1/draft", headers={"Origin": origin})
    assert found.status_code == status
    assert (len(small.assistant.asked) > asked) == (status == 200)


def test_with_a_token_a_page_of_another_site_may_hold_it(open_desk):
    desk = open_desk(settings=Settings(token=TOKEN, rate=0))
    named = {"Authorization": f"Bearer {TOKEN}", "Origin": "https://desk.example.org"}
    assert desk.client.get("/tickets", headers=named).status_code == 200


def test_a_client_that_asks_too_often_is_told_when_to_come_back(open_desk):
    desk = open_desk(settings=Settings(rate=2))
    codes = [desk.client.get("/health").status_code for _ in range(6)]
    assert codes[:4] == [200] * 4
    assert codes[-1] == 429
    answer = desk.client.get("/health")
    assert int(answer.headers["Retry-After"]) >= 1
    other = desk.client.get("/health", environ_overrides={"REMOTE_ADDR": "127.0.0.2"})
    assert other.status_code == 200
