# SPDX-License-Identifier: Apache-2.0
"""``handover``: SIGTERM of the conductor that runs an operation; another goes on, and nothing is done again."""

import argparse
import contextlib
import dataclasses
from collections.abc import Iterator

from tests.bench import report
from tests.fault.outcome import Outcome
from tests.fault.succession import Arrival, Succession, create_at, held_create, now
from tests.functional.stack import RealStack
from tests.functional.stack.images import prepared_images

GONE_WITHIN = 2.0
"""Seconds from SIGTERM to the end of the process, where nothing else keeps the machine busy."""
HELD = {
    "local step": ("create-server.execute.called", "create-server"),
    "guest step": ("guest.install-datastore.execute.before", "install-datastore"),
}
"""Points at which a create is held, and their steps."""
PLACES = (*HELD, "anywhere")
MOMENTS = ("create-port", "create-volume", "create-server", "install-datastore")
"""Steps whose beginning is waited for where nothing is held."""


@dataclasses.dataclass
class HandOver:
    """One conductor told to go."""

    place: str
    gone: float
    first_task: float
    violations: list[str]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("--repetitions", type=int, default=5, metavar="N", help="of each place (%(default)s)")


def run(options: argparse.Namespace) -> Outcome:
    """Tell conductors to go, measure, and look whether all went well."""
    found = []
    with prepared_images() as images, RealStack(images) as stack:
        for number in range(options.repetitions):
            for place in PLACES:
                found.append(hand_over(stack, place, number))
                print(f"{place}: gone {found[-1].gone:.2f} s, first task {found[-1].first_task:.2f} s", flush=True)
    rows = []
    figures: dict[str, object] = {}
    for place in PLACES:
        gone, first = ([getattr(one, name) for one in found if one.place == place] for name in ("gone", "first_task"))
        rows.append([place, len(gone), report.median(gone), max(gone), report.median(first), max(first)])
        figures[f"gone_{place.replace(' ', '_')}_worst_s"] = round(max(gone), 2)
        figures[f"first_task_{place.replace(' ', '_')}_worst_s"] = round(max(first), 2)
    columns = ["SIGTERM in a", "times", "gone, s", "worst", "next one's first task, s", "worst"]
    report.print_table("Hand-over", columns, rows)
    print(report.machine())
    violations = [f"{one.place}: {text}" for one in found for text in one.violations]
    return Outcome(len(found), sum(not one.violations for one in found), violations, figures)


def hand_over(stack: RealStack, place: str, number: int = 0, *, within: float = GONE_WITHIN) -> HandOver:
    """Stop the owner of a create; ``number`` chooses the step where nothing is held. It is a violation that it takes
    ``within`` seconds or more."""
    with stack.nothing_left():
        with _somewhere(stack, place, number) as (create, point):
            arrival = Arrival(stack.faults, point)
            create.done = create.steps()
            told = now()
            gone = create.owner.stop()
            first_task = arrival.wait(60) - told
        violations = create.finish()
        stack.start()
    if gone >= within:
        violations.append(f"the process was gone after {gone:.2f} s")
    return HandOver(place, gone, first_task, violations)


@contextlib.contextmanager
def _somewhere(stack: RealStack, place: str, number: int) -> Iterator[tuple[Succession, str]]:
    """A create in its middle, and the point at which its next owner is seen first."""
    if place == "anywhere":
        yield create_at(stack, MOMENTS[number % len(MOMENTS)]), "operation.claimed"
        return
    held, step = HELD[place]
    with held_create(stack, held) as (create, _):
        yield create, f"{step}.execute.begun"
