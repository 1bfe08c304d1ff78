"""The live desk in a real browser: `twin serve`, a ticket, its rating, the queue, a what-if."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("streamlit", reason="the page takes the extra [live]")

from browser import Browser, Navigated, found

from tests.children import interruptible

ROOT = Path(__file__).parents[1]
PATIENCE_S = 90.0
SMALL = """
question = "A day?"
horizon = "1d"
[arrivals]
rate = "6/h"
[agents.all]
heads = 1
handle_time = "9min"
"""
# The first element whose words begin with these; an icon's name stands on a line before them.
BEGINS = """[...document.querySelectorAll({selector!r})].filter(
    e => e.innerText.trim().split('\\n').pop().startsWith({text!r})
    && e.getClientRects().length)[0]"""
LOCAL = ("http://127.0.0.1:", "data:", "blob:", "about:")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def twin(*arguments):
    return [sys.executable, "-m", "twin", *map(str, arguments)]


class Visitor:
    """Somebody who looks at a page, types, clicks and waits."""

    def __init__(self, browser):
        self.browser = browser

    def go(self, url, width=1280):
        self.browser.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        self.browser.call("Page.navigate", url=url)

    def until(self, script, what):
        end = time.monotonic() + PATIENCE_S
        # While a page loads, little of it is there.
        script = f"(() => {{ try {{ return {script} }} catch {{ return null }} }})()"
        while not (value := self.found(script)):
            if time.monotonic() > end:
                text = self.browser.run("document.body.innerText")
                raise AssertionError(f"never came: {what}; the page says: {text}")
            time.sleep(0.1)
        return value

    def found(self, script):
        """The value of a script; nothing while one page gives way to another."""
        with contextlib.suppress(Navigated):
            return self.browser.run(script)

    def sees(self, text):
        self.until(f"document.body.innerText.includes({json.dumps(text)})", text)

    def shows(self):
        return self.browser.run("document.body.innerText")

    def settled(self):
        """No script runs any more, nor was one just asked for."""
        idle = "!!document.querySelector('[data-test-script-state=notRunning]')"
        time.sleep(0.3)
        self.until(f"{idle} && !document.querySelector('[data-testid=stSpinner]')", "rest")

    def click(self, element, what=None):
        """Click the element that a script finds, as a mouse does."""
        place = f"(() => {{ const e = {element}; if (!e || e.disabled) return null;\
            e.scrollIntoView({{block: 'center'}}); const r = e.getBoundingClientRect();\
            return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        self.until(place, what or element)
        time.sleep(0.1)  # the page may still move
        x, y = self.until(place, what or element)
        for kind in ("mousePressed", "mouseReleased"):
            self.browser.call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
            )

    def press(self, text):
        self.click(BEGINS.format(selector="button", text=text), text)

    def type(self, selector, text):
        self.click(f"document.querySelector({selector!r})")
        self.browser.run("document.activeElement.select()")
        self.browser.call("Input.insertText", text=text)

    def key(self, name, **more):
        code = {"ArrowRight": 39, "Tab": 9, "Enter": 13}[name]
        for kind in ("keyDown" if more else "rawKeyDown", "keyUp"):
            self.browser.call("Input.dispatchKeyEvent", type=kind, key=name, code=name,
                              windowsVirtualKeyCode=code, **more)  # fmt: skip

    def tab_to(self, words):
        """Go to an element by the keyboard alone, by its last line of words or its label."""
        of = "(e => (e.getAttribute('aria-label') || e.innerText).trim().split('\\n').pop())"
        for _ in range(80):
            self.key("Tab")
            if self.browser.run(f"{of}(document.activeElement)") == words:
                return
        raise AssertionError(f"the keyboard never comes to: {words}")

    def enter(self, words):
        """Press a button by the keyboard alone."""
        self.tab_to(words)
        self.key("Enter", text="\r")

    def overflow(self):
        return self.browser.run(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )


@pytest.fixture
def served(tmp_path):
    """A desk and its page: address, environment and folder; stopped with Ctrl-C."""
    if found() is None:
        pytest.skip("no chromium here")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "baseline.toml").write_text(SMALL)
    environment = {
        **{k: v for k, v in os.environ.items() if k not in ("GROQ_API_KEY", "TWIN_TOKEN")},
        "PYTHONPATH": str(ROOT),
        "TWIN_DATABASE": str(tmp_path / "desk.sqlite"),
        "TWIN_SCENARIOS": str(tmp_path / "mine"),
        "TWIN_RESULTS": str(tmp_path / "results"),
        "HOME": str(tmp_path),
    }
    ports = [free_port(), free_port()]
    # The assistant answers whatever comes, so that the test knows what it will see.
    rules = (
        "--set",
        "assistant.confidence_threshold=0.0",
        "--set",
        "assistant.review_categories=[]",
    )
    command = twin("serve", "--port", ports[0], "--page-port", ports[1], *rules)
    with (tmp_path / "stderr.txt").open("w") as errors:
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            stderr=errors,
            preexec_fn=interruptible,
        )
    try:
        for _ in range(2):
            assert process.stdout.readline(), (tmp_path / "stderr.txt").read_text()
        yield f"http://127.0.0.1:{ports[1]}", environment, tmp_path
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.network
@pytest.mark.enable_socket
def test_a_customer_an_agent_and_an_analyst(served, tmp_path):
    url, environment, folder = served
    with Browser(tmp_path / "profile") as browser:
        visitor = Visitor(browser)
        visitor.go(url)
        visitor.sees("How can we help?")
        visitor.sees("No key is in use")

        # With articles, and rated.
        visitor.type("textarea", "login issue")
        visitor.press("Send")
        visitor.sees("Ticket 1")
        visitor.sees("From our help articles")
        visitor.sees("Answered by the desk without a language model (backend embedded)")
        visitor.settled()
        badges = browser.run(
            "[...document.querySelectorAll('[data-testid=stExpander], [data-testid=stMarkdown]')]"
            ".map(e => e.innerText).join(' ')"
        )
        assert "Waiting for customer" in badges
        # It cannot be filed twice by a second press.
        assert browser.run("document.querySelector('textarea').value") == ""
        visitor.press("Yes")
        visitor.sees("You said that this helped")
        visitor.settled()
        visitor.click("document.querySelector('button[aria-label=\"5 out of 5 stars\"]')", "stars")
        visitor.settled()
        visitor.type('input[aria-label^="What could"]', "well done")
        visitor.press("Send rating")
        visitor.sees("Thank you for your 5 stars!")

        # Without articles, and with text that would be markup elsewhere: it did not help.
        visitor.click(BEGINS.format(selector="label", text="Look up help articles"), "toggle")
        visitor.type("textarea", "login issue <b>again</b> **now**")
        visitor.press("Send")
        visitor.sees("Ticket 2")
        visitor.settled()
        assert "From our help articles" not in visitor.shows()
        assert "login issue <b>again</b> **now**" in visitor.shows()
        # By the keyboard alone.
        visitor.enter("No")
        visitor.sees("A person has your ticket")
        visitor.settled()
        visitor.tab_to("Write back")
        browser.call("Input.insertText", text="Please call me.")
        visitor.enter("Send reply")
        visitor.sees("Please call me.")

        # A reload keeps the history; nothing asks anybody but this machine.
        browser.call("Page.reload")
        visitor.sees("Your tickets")
        visitor.sees("1: login issue")
        visitor.sees("2: login issue <b>again</b> **now**")
        visitor.sees("This did not help.")

        # The agent's side, with all that was said, and the other pages by their links.
        visitor.click(BEGINS.format(selector="a", text="Queue"), "link to the queue")
        visitor.sees("Reopened (1)")
        visitor.sees("This did not help.")
        visitor.settled()
        visitor.enter("Draft by the assistant")
        visitor.sees("nothing of it was sent")
        visitor.settled()
        visitor.tab_to("Answer")
        browser.call("Input.insertText", text="An agent's own words.")
        visitor.enter("Send answer")
        visitor.sees("Resolved (2)")
        visitor.click(BEGINS.format(selector="a", text="Desk"), "link to the desk")
        visitor.sees("An agent's own words.")
        visitor.settled()
        visitor.click("document.querySelector('button[aria-label=\"4 out of 5 stars\"]')", "stars")
        visitor.settled()
        visitor.press("Send rating")
        visitor.sees("Thank you for your 4 stars!")

        visitor.click(BEGINS.format(selector="a", text="Staffing"), "link to staffing")
        visitor.sees("Key figures")
        visitor.settled()
        # By the keyboard alone: the slider of the first shift, after that of the load.
        slider = "document.querySelectorAll('[data-testid=stSlider] input')[1]"
        browser.run(f"{slider}.focus()")
        visitor.key("ArrowRight")
        visitor.sees("difference")
        visitor.sees("The same on the command line")
        visitor.settled()

        visitor.click(BEGINS.format(selector="a", text="What-if"), "link to what-if")
        visitor.sees("Load")
        visitor.settled()
        slider = "document.querySelector('[data-testid=stSlider] input')"
        visitor.until(slider + " !== null", "a slider")
        browser.run(f"{slider}.focus()")
        for _ in range(4):
            visitor.key("ArrowRight")
        visitor.sees("Changed: arrivals.scale = 1.2")
        visitor.press("Run")
        visitor.sees("baseline what-if against baseline")
        visitor.sees("first response mean")
        drawn = "[...document.images].filter(i => i.src.includes('svg') && i.naturalWidth > 100)"
        visitor.until(f"{drawn}.length > 1", "figures")
        assert browser.run(f"{drawn}.every(i => i.alt.length > 10)")

        visitor.click(BEGINS.format(selector="a", text="Results"), "link to results")
        visitor.until(f"{drawn}.length > 1", "figures of the run")
        visitor.press("Open the report")
        visitor.until("!!document.querySelector('iframe')?.srcdoc.includes('The answer')", "report")

        asked = [address for address in browser.requests() if not address.startswith(LOCAL)]
        assert asked == []
        wrong = [text for text in browser.complaints() if "Error" in text or "rror:" in text]
        assert wrong == []

        barred = []
        for name in ("", "queue", "staffing", "what-if", "results"):
            visitor.go(f"{url}/{name}", width=390)
            visitor.until("!!document.querySelector('h1')", "a title")
            visitor.settled()
            assert visitor.overflow() <= 0
            for dark in (False, True):
                browser.scheme("dark" if dark else "light")
                visitor.settled()
                time.sleep(1)  # colours fade over
                barred += [f"{name}: {line}" for line in browser.barriers()]

    assert barred == []

    export = folder / "feedback.json"
    subprocess.run(twin("feedback", "export", export), check=True, env=environment, timeout=60,
                   capture_output=True)  # fmt: skip
    entries = json.loads(export.read_text())
    assert [(e["description"], e["rating"], e["feedback"]) for e in entries] == [
        ("login issue", 5, "well done"), ("login issue <b>again</b> **now**", 4, ""),
    ]  # fmt: skip
    # The second rating is of an agent's words.
    assert [e.get("backend", "") for e in entries] == ["embedded", ""]
    assert (entries[0]["model"], entries[0]["backend"]) == ("", "embedded")
    shutil.rmtree(tmp_path / "profile", ignore_errors=True)
