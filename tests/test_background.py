"""The loop in a thread of its own: results, errors, Ctrl-C, and its end."""

import asyncio
import signal
import threading
import time

import pytest

from twin.assistant.live.background import Background


@pytest.fixture
def background():
    closed = []

    async def close():
        closed.append(threading.current_thread())

    before = threading.active_count()
    made = Background(close)
    made.closed = closed
    yield made
    made.close()
    assert threading.active_count() == before


async def where():
    await asyncio.sleep(0)
    return threading.current_thread()


def test_work_is_done_there_from_anywhere(background):
    there = background.run(where, lambda: None)
    assert there not in (None, threading.current_thread())

    async def within():
        return background.run(where, lambda: None)

    assert asyncio.run(within()) is there
    background.close()
    background.close()
    assert background.closed == [there]
    assert not there.is_alive()


def test_an_error_comes_back(background):
    async def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        background.run(fail, lambda: None)
    assert background.run(where, lambda: None)


@pytest.mark.parametrize("heeded", [True, False])
def test_ctrl_c_lets_the_work_end_and_does_not_wait_for_ever(background, monkeypatch, heeded):
    monkeypatch.setattr("twin.assistant.live.background.GRACE_S", 0.2)
    stop, ended = asyncio.Event(), []

    async def work():
        try:
            await stop.wait()
            ended.append("well")
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    # A test run in the background ignores Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    pressed = threading.Timer(0.2, signal.pthread_kill, [threading.get_ident(), signal.SIGINT])
    pressed.start()
    begun = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            background.run(work, stop.set if heeded else lambda: None)
    finally:
        signal.signal(signal.SIGINT, before)
    background.close()
    assert ended == ["well" if heeded else "cancelled"]
    assert time.monotonic() - begun < 5


def test_closing_ends_what_is_under_way(background):
    begun, found = threading.Event(), []

    async def long():
        begun.set()
        await asyncio.sleep(60)

    def ask():
        try:
            background.run(long, lambda: None)
        except BaseException as error:
            found.append(type(error).__name__)

    asking = threading.Thread(target=ask)
    asking.start()
    assert begun.wait(5)
    background.close()
    asking.join(5)
    assert found == ["CancelledError"]


def test_closed_on_its_own_thread_it_neither_fails_nor_hangs():
    async def close():
        pass

    made = Background(close)

    async def work():
        made.close()
        return 1

    assert made.run(work, lambda: None) == 1
