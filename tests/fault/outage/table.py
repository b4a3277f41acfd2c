# SPDX-License-Identifier: Apache-2.0
"""Outages as people read them, and as figures."""

import collections
import math

from tests.fault.outage.case import Result
from tests.fault.persistent import Call

HEAD = (
    f"{'part':10} {'':7} {'away':>6} {'accepted':>9} {'SUCCESS':>8} {'REVERTED':>9} {'lost':>5} {'first':>6} "
    f"{'progress':>9}"
)


def lines(result: Result) -> list[str]:
    """A line for the operations, one for each kind of call."""
    states = result.states
    progress = "-" if result.first_progress is None else f"{result.first_progress:.1f}"
    first = max(result.first_answers.values(), default=0.0)
    other = len(result.asked) - states.get("SUCCESS", 0) - states.get("REVERTED", 0)
    told = [
        f"{result.part:10} {result.manner:7} {result.away:6.1f} {result.accepted_away:>4}/{len(result.asked):<4} "
        f"{states.get('SUCCESS', 0):>8} {states.get('REVERTED', 0):>9} {other:>5} {first:6.1f} {progress:>9}"
    ]
    for kind, calls in sorted(_by_kind(result.calls).items()):
        counts = " ".join(f"{status or 'none'}×{count}" for status, count in sorted(_statuses(calls).items()))
        told.append(f"    {kind:13} slowest {max(one.took for one in calls):5.1f} s   {counts}")
    told.append(f"    the database: {result.data_path[0]} statements, slowest pair {result.data_path[1]:.2f} s")
    return told + [f"    violation: {one}" for one in result.violations]


def figures(result: Result) -> dict[str, object]:
    """For the last line."""
    return {
        "part": result.part,
        "manner": result.manner,
        "away": round(result.away, 1),
        "calls": {
            kind: {
                "statuses": {str(status): count for status, count in sorted(_statuses(calls).items())},
                "slowest": round(max(one.took for one in calls), 2),
            }
            for kind, calls in sorted(_by_kind(result.calls).items())
        },
        "accepted": len(result.asked),
        "accepted_while_away": result.accepted_away,
        "ended": result.states,
        "first_answers": {
            kind: None if math.isinf(after) else round(after, 1) for kind, after in result.first_answers.items()
        },
        "first_progress": None if result.first_progress is None else round(result.first_progress, 1),
        "statements": result.data_path[0],
        "slowest_statements": round(result.data_path[1], 2),
    }


def _by_kind(calls: list[Call]) -> dict[str, list[Call]]:
    kinds: dict[str, list[Call]] = collections.defaultdict(list)
    for one in calls:
        kinds[one.kind].append(one)
    return kinds


def _statuses(calls: list[Call]) -> collections.Counter[int]:
    return collections.Counter(one.status for one in calls)
