"""Chromium without a window, spoken to over a pipe: no socket, no driver, no network.

The DevTools protocol (https://chromedevtools.github.io/devtools-protocol/) is JSON messages that
end in a zero byte, on file descriptors 3 (to the browser) and 4 (from it).
"""

import base64
import importlib.util
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)


def axe_path():
    """The script of axe-core that a package carries, or None; nothing of the package runs."""
    spec = importlib.util.find_spec("axe_playwright_python")
    return Path(spec.origin).parent / "axe.min.js" if spec and spec.origin else None


def found():
    """Path of a browser, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


# Faults against WCAG 2 A and AA, that axe-core calls serious: a rule, and where.
AXE = """
axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
                   resultTypes: ['violations']})
  .then(found => found.violations
    .filter(one => ['serious', 'critical'].includes(one.impact))
    .map(one => one.id + ': ' + one.nodes.slice(0, 5).map(
        node => node.target.join(' ') + ' ' + node.html.slice(0, 120)
                + ' (' + (node.any[0]?.message || '') + ')').join(' | ')))
"""
# What the browser says of a script whose page went away under it.
GONE = ("navigated or closed", "context was destroyed", "Cannot find context")


class Navigated(RuntimeError):
    """Another page came before the script was done."""


class Browser:
    """One page in a browser with a profile of its own.

    `events` are all events so far, as (method, params).
    """

    def __init__(self, profile, timeout_s=30.0):
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        def pipes():
            # 3 and 4 may be among the pipes' own numbers: via high numbers, then into place.
            a, b = os.dup(to_browser), os.dup(from_browser)
            os.dup2(a, 103)
            os.dup2(b, 104)
            os.dup2(103, 3)
            os.dup2(104, 4)

        self._process = subprocess.Popen(
            [found(), *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=pipes,
            close_fds=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._timeout_s, self._number, self._rest, self._session = timeout_s, 0, b"", None
        self._answers, self.events = {}, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def call(self, method, **params):
        """The result of a command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        self._until(lambda: self._number in self._answers)
        answer = self._answers.pop(self._number)
        if "error" in answer:
            told = answer["error"].get("message", "")
            kind = Navigated if any(word in told for word in GONE) else RuntimeError
            raise kind(f"{method}: {answer['error']}")
        return answer["result"]

    def _until(self, done):
        end = time.monotonic() + self._timeout_s
        while not done():
            ready, _, _ = select.select([self._read], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise TimeoutError("the browser did not answer in time")
            self._rest += os.read(self._read, 1 << 20)
            *messages, self._rest = self._rest.split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    self._answers[message["id"]] = message
                else:
                    self.events.append((message["method"], message.get("params", {})))

    def open(self, path, width=1280, height=900, dark=False, phone=False):
        """Open a file at a width in CSS pixels; events of earlier pages are forgotten."""
        self.events.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=2 if phone else 1, mobile=phone,
        )  # fmt: skip
        self.scheme("dark" if dark else "light")
        self.call("Page.navigate", url=Path(path).resolve().as_uri())
        self._until(lambda: any(name == "Page.loadEventFired" for name, _ in self.events))

    def scheme(self, name, media=""):
        """Pretend a colour scheme and, if given, a medium such as print."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)

    def run(self, script):
        """The value of a script."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def barriers(self):
        """Faults that axe-core calls serious or critical, as lines; none where it is not there."""
        if (path := axe_path()) is None:
            return []
        self.run(path.read_text(encoding="utf-8") + ";0")
        answer = self.call("Runtime.evaluate", expression=AXE, awaitPromise=True,
                           returnByValue=True)  # fmt: skip
        return answer["result"]["value"]

    def requests(self):
        """Addresses asked for since the page was opened."""
        return [p["request"]["url"] for n, p in self.events if n == "Network.requestWillBeSent"]

    def complaints(self):
        """Messages of the console, and errors that were thrown."""
        texts = [p["entry"]["text"] for n, p in self.events if n == "Log.entryAdded"]
        texts += [str(p["args"]) for n, p in self.events if n == "Runtime.consoleAPICalled"]
        thrown = [str(p["exceptionDetails"]) for n, p in self.events
                  if n == "Runtime.exceptionThrown"]  # fmt: skip
        return texts + thrown

    def picture(self, path, whole=True):
        """The page as PNG."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole,
                         **({"clip": self._whole()} if whole else {}))  # fmt: skip
        Path(path).write_bytes(base64.b64decode(shot["data"]))

    def _whole(self):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}

    def pdf(self):
        """The page as it prints, as PDF bytes."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=False)["data"])
