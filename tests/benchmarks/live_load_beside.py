"""Load on the live desk beside that of another checkout of the project, as of an older commit.

    git worktree add OTHER COMMIT
    python -m tests.benchmarks.live_load_beside OTHER [--rounds 10] [--requests 96]

Both desks run all the time, each by its own checkout's scenario, and are asked in turn: so many
requests by 1, 8 and 32 clients at once, each of which asks again as soon as it has its answer.
Prints this checkout's figures over the other's, medians and quartiles over the rounds: answers a
second, and time of the server's processor for an answer, which a busy machine hardly changes. It
needs /proc (Linux).
"""

import argparse
import http.client
import os
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.live_load import bodies
from tests.live_server import ROOT, Server, environment

TYPE = {"Content-Type": "application/json"}
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def used_s(server):
    """Time of the processor that a server has used so far."""
    fields = Path(f"/proc/{server._process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def burst(server, path, clients, requests):
    """Seconds by the clock and of the server's processor for an answer."""
    texts, failed = bodies(path), []

    def ask(number):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        for k in range(number, requests, clients):
            connection.request("POST", path, texts[k % len(texts)].encode(), TYPE)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                failed.append(answer.status)
        connection.close()

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(clients)]
    began, before = time.perf_counter(), used_s(server)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = (time.perf_counter() - began) / requests, (used_s(server) - before) / requests
    assert not failed, failed[:5]
    return found


def ratio(values):
    """Median and quartiles, as words."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--requests", type=int, default=96)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        servers = []
        for checkout in (ROOT, said.other.resolve()):
            folder = Path(name) / f"{len(servers)}"
            folder.mkdir()
            server = Server(
                folder, str(folder / "desk.sqlite"),
                scenario=checkout / "scenarios" / "live-desk.toml",
                env=environment() | {"PYTHONPATH": str(checkout)},
            )  # fmt: skip
            stack.callback(server.kill)
            servers.append(server.start())
        print(
            "path              clients  answers a second      processor an answer   (this, other)"
        )
        for path in ("/process_ticket", "/submit_feedback"):
            for server in servers:
                burst(server, path, 4, said.requests)
            for clients in (1, 8, 32):
                rates, costs, own = [], [], []
                for k in range(said.rounds):
                    found = {
                        one: burst(servers[one], path, clients, said.requests)
                        for one in ((0, 1) if k % 2 else (1, 0))
                    }
                    rates.append(found[1][0] / found[0][0])
                    costs.append(found[0][1] / max(found[1][1], 1e-9))
                    own.append((found[0][1], found[1][1]))
                each = ", ".join(
                    f"{1e3 * statistics.median(row):.1f} ms" for row in zip(*own, strict=True)
                )
                print(f"{path:17} {clients:7}  {ratio(rates):20}  {ratio(costs):20}  ({each})",
                      flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
