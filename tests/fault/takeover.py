# SPDX-License-Identifier: Apache-2.0
"""``takeover``: from SIGKILL of the conductor that runs an operation to the next one's first task."""

import argparse
import dataclasses
import pathlib

from tests.bench import report
from tests.fault.outcome import Outcome
from tests.fault.succession import Arrival, held_create, now
from tests.functional.stack import RealStack
from tests.functional.stack.images import prepared_images

GRACE = 1.0
"""Seconds beyond the session time-out: ZooKeeper ends sessions at whole ticks, and the next owner has to load."""
STEPS = ("create-server", "install-datastore", "create-volume", "create-users")
"""Where in a create the conductor is killed, in turns: local steps and steps of the guest."""


@dataclasses.dataclass
class TakeOver:
    """One conductor killed."""

    session_timeout: float
    step: str
    seconds: float
    violations: list[str]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument(
        "--sessions", type=float, nargs="+", default=[4.0, 10.0], metavar="SECONDS", help="time-outs (%(default)s)"
    )
    parser.add_argument("--repetitions", type=int, default=8, metavar="N", help="of each (%(default)s)")


def run(options: argparse.Namespace) -> Outcome:
    """Kill, measure, and look whether all went well."""
    with prepared_images() as images:
        found = [one for session in options.sessions for one in takeovers(images, session, options.repetitions)]
    rows = []
    figures: dict[str, object] = {}
    for session in options.sessions:
        seconds = [one.seconds for one in found if one.session_timeout == session]
        rows.append([f"{session:g} s", len(seconds), min(seconds), report.median(seconds), max(seconds)])
        figures[f"takeover_{session:g}_s"] = [round(one, 2) for one in seconds]
        figures[f"takeover_{session:g}_s_worst"] = round(max(seconds), 2)
    columns = ["session time-out", "kills", "shortest, s", "median, s", "longest, s"]
    report.print_table("SIGKILL of a conductor to the next owner's first task", columns, rows)
    print(report.machine())
    violations = [
        f"{one.step}, sessions of {one.session_timeout:g} s: {text}" for one in found for text in one.violations
    ]
    return Outcome(len(found), sum(not one.violations for one in found), violations, figures)


def takeovers(images: pathlib.Path, session_timeout: float, repetitions: int) -> list[TakeOver]:
    """On a stack of their own."""
    found = []
    with RealStack(images, session_timeout=session_timeout) as stack:
        for number in range(repetitions):
            found.append(take_over(stack, STEPS[number % len(STEPS)]))
            print(f"session {session_timeout:g} s, {found[-1].step}: {found[-1].seconds:.2f} s", flush=True)
    return found


def take_over(stack: RealStack, step: str, grace: float = GRACE) -> TakeOver:
    """Kill the owner of a create that is about to begin a step; ``grace``: seconds beyond the session time-out that
    the next one may take."""
    point = f"{step}.execute.begun"
    with stack.nothing_left():
        with held_create(stack, point) as (create, _):
            arrival = Arrival(stack.faults, point)
            killed = now()
            create.owner.kill9()
            seconds = arrival.wait(stack.session_timeout + 60) - killed
        violations = create.finish()
        stack.start()
    if seconds > stack.session_timeout + grace:
        violations.append(f"taken over after {seconds:.2f} s")
    return TakeOver(stack.session_timeout, step, seconds, violations)
