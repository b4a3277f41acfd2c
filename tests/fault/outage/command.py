# SPDX-License-Identifier: Apache-2.0
"""outage: ZooKeeper, RabbitMQ and SQL killed or frozen for some time under load; nothing is lost, nothing doubled."""

import argparse

from tests.fault.outage.case import FROZEN, KILLED, PARTS, Result, outage
from tests.fault.outage.table import HEAD, figures, lines
from tests.fault.outcome import Outcome
from tests.functional.stack import RealStack
from tests.functional.stack.images import prepared_images

SLOWEST = 10.0
"""Seconds that the API may take for any answer while a part is away, on a machine that has a lot else to do."""
RECOVERY = 20.0
"""Seconds from a part's return until everything is answered again, and until operations go on."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which outages."""
    parser.add_argument("--part", choices=list(PARTS), help="one part only")
    parser.add_argument("--manner", choices=[KILLED, FROZEN], help="one manner only")
    parser.add_argument("--seconds", type=float, nargs="+", default=[5, 30, 120], help="how long each is away")


def run_all(options: argparse.Namespace, stack: RealStack) -> list[Result]:
    """One after the other on the same stack."""
    print(HEAD, flush=True)
    results = []
    for part in [options.part] if options.part else PARTS:
        for manner in [options.manner] if options.manner else (KILLED, FROZEN):
            for seconds in options.seconds:
                result = outage(stack, part, manner, seconds)
                result.violations += judge(result)
                print("\n".join(lines(result)), flush=True)
                results.append(result)
    return results


def judge(result: Result) -> list[str]:
    """What was too slow, or answered as it must not."""
    slow = [f"{one.kind} took {one.took:.1f} s" for one in result.calls if one.took > SLOWEST]
    odd = {f"{one.kind} was answered {one.status}" for one in result.calls if not one.good and one.status != 503}
    mute = {f"{one.kind}: 503 without Retry-After" for one in result.calls if one.status == 503 and not one.retry_after}
    late = [f"{kind}: {after:.1f} s to an answer" for kind, after in result.first_answers.items() if after > RECOVERY]
    if result.first_progress is not None and result.first_progress > RECOVERY:
        late.append(f"{result.first_progress:.1f} s to the first progress")
    return slow + sorted(odd) + sorted(mute) + late


def run(options: argparse.Namespace) -> Outcome:
    """An outage passes without a violation."""
    with prepared_images() as images, RealStack(images) as stack:
        results = run_all(options, stack)
    return Outcome(
        tried=len(results),
        passed=len([result for result in results if not result.violations]),
        violations=[f"{one.part} {one.manner} {one.away:.0f} s: {what}" for one in results for what in one.violations],
        figures={"outages": [figures(result) for result in results]},
    )
