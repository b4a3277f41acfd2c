# SPDX-License-Identifier: Apache-2.0
"""Some lives of databases while every tenth message meets each of the faults; more by ``python -m tests.fault
messages``."""

import pathlib

from tests.fault.messages.case import disturbed
from tests.fault.messages.disturbed import FAULTS, Weather


def test_everything_is_done_once(images: pathlib.Path) -> None:
    quick = {"messaging": {"resend": 0.5}}
    result = disturbed(images, Weather(FAULTS, rate=0.1, seed=7), lives=3, side_by_side=3, settings=quick)
    assert result.violations == []
    assert {one.state for one in result.asked} == {"SUCCESS"}
    assert len(result.asked) == 3 * 5
