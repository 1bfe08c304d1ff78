"""Load on the live desk, on loopback and with the embedded backend: answers a second, and waits.

Run from the project's folder, on an otherwise quiet machine, with wrk (https://github.com/wg/wrk):

    python -m tests.benchmarks.live_load [SECONDS] [CLIENTS ...]

A client asks again as soon as it has its answer, over one connection. Every answer that is not 200,
and every connection that fails, counts as an error. Whatever is acknowledged is on the disk.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.live_server import ROOT, served

TEXTS = (
    "I cannot log into my account.",
    "My payment was declined, but I have sufficient balance.",
    "The app crashes whenever I try to open it.",
    "I need help resetting my password.",
    "I was charged twice for my subscription.",
)
SCRIPT = """
local bodies = {%s}
local asked = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
request = function()
  asked = asked %% #bodies + 1
  return wrk.format(nil, nil, nil, bodies[asked])
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("figures %%f %%f %%f %%f %%d\\n",
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3,
    latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.timeout + e.status))
end
"""


def bodies(path):
    """Requests to a path, as JSON."""
    more = {"rating": 5, "feedback": "fine"} if path == "/submit_feedback" else {}
    model = {"model": "openai/gpt-oss-20b"}
    return [json.dumps({"description": text} | model | more) for text in TEXTS]


def measure(folder, port, path, clients, seconds):
    """Answers a second, p50, p95 and p99 of waits (ms), and errors of so many clients at once."""
    script = folder / "load.lua"
    script.write_text(SCRIPT % ", ".join(f"[[{body}]]" for body in bodies(path)))
    command = [
        "wrk", "--threads", "1", "--connections", f"{clients}", "--duration", f"{seconds}s",
        "--timeout", "30s", "--script", str(script), f"http://127.0.0.1:{port}{path}",
    ]  # fmt: skip
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (line,) = [line for line in said.splitlines() if line.startswith("figures")]
    rate, *waits, errors = map(float, line.split()[1:])
    return rate, waits, int(errors)


def main():
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed")
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    counts = [int(word) for word in sys.argv[2:]] or [1, 8, 32]
    scenario = ROOT / "scenarios" / "live-desk.toml"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with served(folder, str(folder / "desk.sqlite"), scenario=scenario) as server:
            print("path              clients  answers/s   p50 ms   p95 ms   p99 ms  errors")
            for path in ("/process_ticket", "/submit_feedback"):
                for clients in counts:
                    rate, waits, errors = measure(folder, server.port, path, clients, seconds)
                    columns = " ".join(f"{wait:8.1f}" for wait in waits)
                    print(f"{path:17} {clients:7} {rate:10.0f} {columns} {errors:7}")


if __name__ == "__main__":
    main()
