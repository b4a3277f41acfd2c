# SPDX-License-Identifier: Apache-2.0
"""A few of the thousand lost sessions of ``python -m tests.fault double-claim``."""

import argparse

from tests.fault.doubleclaim import command


def test_lost_sessions_under_load() -> None:
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    outcome = command.run(parser.parse_args(["--losses", "10", "--asleep", "3"]))
    assert outcome.violations == []
    assert outcome.good
    assert outcome.figures["late_writes_refused"], "nothing was put to the test"
