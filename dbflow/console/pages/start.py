# SPDX-License-Identifier: Apache-2.0
"""The start page: is anything wrong?"""

import dataclasses
from collections.abc import Iterator
from typing import Any

from dbflow.console.page import Asked, Page
from dbflow.console.pages import conductors, jobs
from dbflow.operations import State
from dbflow.services import browse
from dbflow.services.browse import OPEN, OVER, OperationFilter
from dbflow.services.browse_backups import count_backups
from dbflow.services.context import Services
from dbflow.status import BackupState

_SHOWN = 12


@dataclasses.dataclass(frozen=True)
class Finding:
    """One line of the answer."""

    text: str
    wrong: bool
    link: str
    count: int | None = None


def look(services: Services, asked: Asked) -> dict[str, Any]:
    """Findings, what is wrong first; and the operations that run."""
    may = asked.sight.may
    findings: list[Finding] = []
    context: dict[str, Any] = {"running": None, "ended": None}
    if "operation:index" in may:
        caller = asked.sight.caller()
        found = browse.operations(services, caller, OperationFilter(state=OPEN), _SHOWN)
        context["running"] = found
        context["ended"] = browse.operations(services, caller, OperationFilter(state=OVER), _SHOWN, count=False)
        findings += _operations(found.counts, asked)
    if "instance:index" in may:
        findings += _instances(browse.count_instances(services, asked.sight.caller()), asked)
    if "backup:index" in may:
        findings += _backups(count_backups(services, asked.sight.caller()), asked)
    if "mgmt:jobs" in may:
        findings += _jobs(services, asked)
    if "mgmt:conductors" in may:
        findings += _conductors(services, asked)
    context["findings"] = sorted(findings, key=lambda finding: not finding.wrong)
    context["wrong"] = sum(finding.wrong for finding in findings)
    return context


def _operations(counts: dict[str, int], asked: Asked) -> Iterator[Finding]:
    failed = counts.get(State.FAILED, 0)
    text = "operations failed and are parked" if failed != 1 else "operation failed and is parked"
    yield Finding(text, failed > 0, asked.sight.at("operations", state=State.FAILED), failed)


_UNWELL = {
    "error": ("instance in ERROR", "instances in ERROR"),
    "silent": ("guest is silent", "guests are silent"),
    "crashed": ("database server is down", "database servers are down"),
}


def _instances(counts: dict[str, int], asked: Asked) -> Iterator[Finding]:
    page = "guests" if "mgmt:guests" in asked.sight.may else "instances"
    for health, words in _UNWELL.items():
        where = "instances" if health == "error" else page
        yield Finding(
            words[counts[health] != 1], counts[health] > 0, asked.sight.at(where, health=health), counts[health]
        )


def _backups(counts: dict[str, int], asked: Asked) -> Iterator[Finding]:
    for state, words in (
        (BackupState.FAILED, ("backup failed", "backups failed")),
        (BackupState.DELETE_FAILED, ("backup could not be deleted", "backups could not be deleted")),
    ):
        count = counts.get(state, 0)
        yield Finding(words[count != 1], count > 0, asked.sight.at("backups", state=state), count)


def _jobs(services: Services, asked: Asked) -> Iterator[Finding]:
    board = jobs.board(services)
    if board is None:
        yield Finding("The jobboard does not answer", True, asked.sight.at("jobs"))
        return
    forgotten = sum(one.state == jobs.FORGOTTEN for one in board)
    unclaimed = sum(one.state == jobs.UNCLAIMED for one in board)
    text = "accepted operation is not on the board" if forgotten == 1 else "accepted operations are not on the board"
    yield Finding(text, forgotten > 0, asked.sight.at("jobs", show=jobs.FORGOTTEN), forgotten)
    text = "job waits long for a conductor" if unclaimed == 1 else "jobs wait long for a conductor"
    yield Finding(text, unclaimed > 0, asked.sight.at("jobs", show=jobs.UNCLAIMED), unclaimed)


def _conductors(services: Services, asked: Asked) -> Iterator[Finding]:
    found = conductors.conductors(services)
    silent = sum(not one.alive for one in found)
    link = asked.sight.at("conductors")
    yield Finding("conductor is silent" if silent == 1 else "conductors are silent", silent > 0, link, silent)
    alive = len(found) - silent
    yield Finding("conductor lives" if alive == 1 else "conductors live", alive == 0, link, alive)
    if alive and all(one.draining for one in found if one.alive):
        yield Finding("Every conductor drains: nothing more is begun", True, link)
    orphans = sum(one.orphans or 0 for one in found)
    yield Finding("orphan in the cloud" if orphans == 1 else "orphans in the cloud", orphans > 0, link, orphans)
    if not any(one.leader for one in found):
        yield Finding("No conductor leads", True, link)


PAGE = Page("start", "/", None, "Overview", look, ("findings", "running"))
