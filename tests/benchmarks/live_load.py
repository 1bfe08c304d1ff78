"""Load on the live desk, on loopback and with the embedded backend: requests a second, and waits.

Run from the project's folder, on an otherwise quiet machine:

    python -m tests.benchmarks.live_load [SECONDS] [CLIENTS ...]

Clients are processes of this file, so that their own work does not hold up each other; on few cores
they do take time from the server. Every answer that is not 200 counts as an error.
"""

import http.client
import json
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from tests.live_server import JSON_TYPE, ROOT, served

TEXTS = (
    "I cannot log into my account.",
    "My payment was declined, but I have sufficient balance.",
    "The app crashes whenever I try to open it.",
    "I need help resetting my password.",
    "I was charged twice for my subscription.",
)


def client(port, path, seconds, seed):
    """Ask without a pause; time of each answer in seconds, and the number of errors."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    waits, errors = [], 0
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        text = TEXTS[(seed + len(waits)) % len(TEXTS)]
        body = {"description": text, "model": "openai/gpt-oss-20b"}
        if path == "/submit_feedback":
            body |= {"rating": 5, "feedback": "fine"}
        began = time.perf_counter()
        try:
            connection.request("POST", path, json.dumps(body), JSON_TYPE)
            answer = connection.getresponse()
            answer.read()
            errors += answer.status != 200
        except (OSError, http.client.HTTPException):
            errors += 1
            connection.close()
        waits.append(time.perf_counter() - began)
    connection.close()
    return waits, errors


def measure(pool, port, path, clients, seconds):
    """Answers a second, quantiles of waits (ms) and errors of so many clients at once."""
    parts = [pool.submit(client, port, path, seconds, seed) for seed in range(clients)]
    found = [part.result() for part in parts]
    waits = np.concatenate([waits for waits, _ in found])
    quantiles = np.quantile(waits, [0.5, 0.95, 0.99]) * 1e3
    return len(waits) / seconds, quantiles, sum(errors for _, errors in found)


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    counts = [int(word) for word in sys.argv[2:]] or [1, 8, 32]
    scenario = ROOT / "scenarios" / "live-desk.toml"
    with tempfile.TemporaryDirectory() as folder:
        database = str(Path(folder) / "desk.sqlite")
        with (
            served(Path(folder), database, scenario=scenario) as server,
            ProcessPoolExecutor(max(counts)) as pool,
        ):
            print("path              clients  answers/s   p50 ms   p95 ms   p99 ms  errors")
            for path in ("/process_ticket", "/submit_feedback"):
                for clients in counts:
                    rate, (p50, p95, p99), errors = measure(
                        pool, server.port, path, clients, seconds
                    )
                    print(
                        f"{path:17} {clients:7} {rate:10.0f} {p50:8.1f} {p95:8.1f} {p99:8.1f} "
                        f"{errors:7}"
                    )


if __name__ == "__main__":
    main()
