# SPDX-License-Identifier: Apache-2.0
"""``double-claim``: conductors that have lost their sessions and work on; nothing may be done twice."""

import argparse
import logging
import time

from dbflow.db.models import Operation
from tests.bench import report
from tests.fault.doubleclaim import ledger
from tests.fault.doubleclaim.field import Field
from tests.fault.doubleclaim.losses import expire, sleep_through
from tests.fault.outcome import Outcome


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("--losses", type=int, default=1000, help="sessions that are lost in all (%(default)s)")
    parser.add_argument("--asleep", type=int, default=60, help="of them by SIGSTOP (%(default)s)")
    parser.add_argument("--without-fence", action="store_true", help="leave the fence out, to see what it is for")


def run(options: argparse.Namespace) -> Outcome:
    """Load, losses, and the count."""
    logging.getLogger("kazoo").setLevel(logging.CRITICAL)  # it tells of every session that is ended
    began = time.monotonic()
    with Field(fenced=not options.without_fence) as field:
        with field.load():
            slept = sleep_through(field, min(options.asleep, options.losses))
            ended = expire(field, options.losses - slept)
        field.finish()
        counted = _count(field)
    figures: dict[str, object] = {
        "losses_expired": ended,
        "losses_asleep": slept,
        **counted.figures,
        "seconds": round(time.monotonic() - began),
    }
    rows = [[name.replace("_", " "), value] for name, value in figures.items()]
    report.print_table("Sessions lost under load", ["", "number"], rows)
    print(report.machine())
    return Outcome(counted.tried, counted.passed, counted.violations, figures)


def _count(field: Field) -> Outcome:
    """Every operation, every entry, every line of the guests."""
    outcome = Outcome()
    doubles = late = 0
    for operation_id, fails, path in field.accepted:
        state, entries, lines = ledger.expected(fails)
        with field.database.read() as session:
            ended = session.get_one(Operation, operation_id).state
            rows = ledger.entries_of(session, operation_id)
        made, written = sorted(row.entry for row in rows), ledger.lines(path)
        doubles += len(made) - len(set(made)) + len(written) - len(set(written))
        stale = [
            f"{row.entry} with epoch {row.epoch} instead of {row.newest}" for row in rows if row.epoch != row.newest
        ]
        late += len(stale)
        found = [f"ended {ended}"] * (ended != state)
        found += [f"entries {made}"] * (made != entries) + [f"lines {written}"] * (written != lines) + stale
        outcome.violations += [f"operation {operation_id}: {text}" for text in found]
        outcome.tried += 1
        outcome.passed += not found
    claims = field.said("): epoch ")
    outcome.figures = {
        "operations_ended": outcome.tried,
        "claims": claims,
        "take_overs": claims - outcome.tried,
        "late_writes_refused": field.said("was overtaken by"),
        "late_writes_done": late,
        "late_requests_refused": field.guests_said("is out of date"),
        "double_effects": doubles,
    }
    return outcome
