import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import lab  # noqa: E402


def pytest_collection_modifyitems(items):
    reason = lab.why_not()
    if reason:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))
