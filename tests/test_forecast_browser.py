"""The page of a forecast in a real browser: nothing fetched, read by anyone, dark and on paper."""

from datetime import timedelta

import browser
import pytest
from test_forecast import START, events
from test_report_browser import CONTRAST, HIDDEN, LETTERS, sheets

import twin
from twin.common.files import write_text
from twin.report.forecast import page

pytestmark = pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed")
EVIL = '"><img src=x onerror=alert(1)>'


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Six weeks with a holiday and two days without data; four weeks ahead, a holiday in them."""
    home = tmp_path_factory.mktemp("page")
    file = events(home / "log.csv", [40.0] * 40, odd={23}, missing={8, 9})
    history = twin.read_history(file, zone="UTC")
    found = twin.forecast(history, 28, {START + timedelta(days=42): 0.2})
    to = home / "forecast.html"
    write_text(to, page(found, home / EVIL, home / f"{EVIL}.toml"))
    return to


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser.Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.mark.parametrize(
    ("width", "dark"), [(1280, False), (1280, True), (390, False), (390, True)]
)
def test_it_can_be_read_by_anyone_anywhere(chromium, path, width, dark):
    chromium.open(path, width, phone=width == 390, dark=dark)
    assert chromium.complaints() == []
    assert chromium.requests()[0] == path.as_uri()
    assert all(address.startswith("data:") for address in chromium.requests()[1:])
    assert chromium.run(HIDDEN) == []
    assert chromium.run("document.documentElement.scrollWidth") <= width
    assert chromium.run(CONTRAST) >= 4.5
    smallest, cut = chromium.run(LETTERS)
    assert cut == []
    assert smallest >= 8
    if browser.axe_path() is not None:
        assert chromium.barriers() == []


def test_names_of_files_are_no_markup(chromium, path):
    chromium.open(path)
    assert chromium.run("document.images.length") == 0
    assert EVIL in chromium.run("document.body.textContent")


def test_it_is_printed_with_every_day(chromium, path):
    chromium.open(path, dark=True)
    chromium.scheme("dark", media="print")
    assert chromium.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    height = "document.querySelector('#numbers details table').getBoundingClientRect().height"
    assert chromium.run(height) > 200
    assert sheets(chromium) <= 4
    chromium.scheme("light")
