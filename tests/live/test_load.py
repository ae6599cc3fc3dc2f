"""A small version of scripts/load."""

import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "load"))
import load  # noqa: E402


@pytest.mark.parametrize("side", ["client", "server"])
def test_500_connections_at_once(side):
    result = load.concurrent(500, 2, side)
    assert result["most_at_once"] >= 500
    assert result["requests"] > 0
    assert [result[error] for error in ("connect", "read", "write", "timeout", "status")] == [0] * 5, result


def test_2000_connections_in_turn_leave_nothing():
    *rows, _ = load.sequential(2000, batch=500)
    assert rows[-1]["connections"] == 2000 and rows[-1]["failed"] == 0
    for side in ("client", "server"):
        assert rows[-1][side]["descriptors"] <= rows[0][side]["descriptors"] + 2, rows
        # From the second row on the histories of closed connections are full; TIME-WAIT is kept, 65,536 at most, with a record of
        # some 150 octets each.
        assert rows[-1][side]["memory_kib"] - rows[1][side]["memory_kib"] < 1500, rows


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_programs_are_told_when_the_daemon_goes_and_new_ones_run(how):
    result = load.restart(how)
    assert result["during"]["exit"] == 56 and "reset by peer" in result["during"]["message"], result
    assert result["without"]["exit"] == 0, "braid run starts a Braid of its own while there is no daemon"
    assert result["after"]["exit"] == 0 and result["after"]["bytes"] == 100_000
    assert result["connections"] >= 1, "over the daemon that was started again"
