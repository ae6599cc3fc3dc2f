"""The quick half of scripts/applications: programs that nobody modified, over two paths, every byte checked."""

import shutil

import pytest

from applications import report
from applications.registry import PAIRINGS

ROWS = [(application, pairing) for application in report.chosen(quick=True) for pairing in application.roles]


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_quick_half(pairing):
    """One laboratory a pairing: starting it for each program would take longer than most of them."""
    applications = [application for application, its in ROWS if its == pairing and not missing(application)]
    rows = report.run_all(applications, (pairing,))
    assert len(rows) == len(applications) >= 4
    assert not [f"{row['name']}: {row['why']}" for row in rows if row["result"] == "fails"]
    # What has much to send uses both paths.
    used = {row["name"]: row["path_bytes"] for row in rows if row["result"] == "works"}
    assert min(used["ssh"]) > 1 << 20, used


def missing(application):
    return [need for need in application.needs if shutil.which(need) is None]
