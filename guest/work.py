# SPDX-License-Identifier: Apache-2.0
"""Runs one request through TaskFlow's worker endpoint and makes the answer."""

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from taskflow import task as taskflow_task
from taskflow.engines.worker_based import endpoint, protocol
from taskflow.types import failure

from dbflow import faults
from dbflow.messaging import wire
from guest.datastores.base import Datastore
from guest.redact import redact, secrets
from guest.tasks.base import GuestTask

LOG = logging.getLogger(__name__)
LARGEST_ANSWER = wire.MAX_BODY // 2
"""Bytes of JSON; sealed and encoded it is a third larger."""

OnProgress = Callable[[str, dict[str, Any]], None]
Answer = dict[str, Any]
"""{"state": SUCCESS | FAILURE, "data": {"result": …}}"""


class UnfitAnswer(Exception):
    """What the task returned can't be sent."""


def perform(
    task_class: type[GuestTask],
    body: dict[str, Any],
    datastore: Datastore,
    request_id: str,
    on_progress: OnProgress,
    interrupted: threading.Event,
) -> Answer:
    """Execute or revert; never raises. Neither log nor answer shows the arguments' secrets. ``interrupted`` is set when
    the task is to end."""
    began = time.monotonic()
    hidden = sorted(secrets(body.get("arguments", {})), key=len, reverse=True)
    try:
        result = _run(task_class, body, datastore, request_id, on_progress, interrupted)
        answer = failed(result, hidden) if isinstance(result, failure.Failure) else _succeeded(result)
    except Exception:
        answer = failed(failure.Failure(), hidden)
    outcome = answer["data"]["result"]["exception_str"] if answer["state"] == wire.FAILURE else "done"
    LOG.info("%s %s in %.2f s: %s", request_id, body["task_cls"], time.monotonic() - began, outcome)
    return answer


def _run(
    task_class: type[GuestTask],
    body: dict[str, Any],
    datastore: Datastore,
    request_id: str,
    on_progress: OnProgress,
    interrupted: threading.Event,
) -> Any:
    unit = protocol.Request.from_dict(body, task_uuid=request_id)
    arguments = dict(unit.arguments)
    if unit.action == wire.REVERT:
        arguments.setdefault("result", None)
        arguments.setdefault("failures", {})
    served = endpoint.Endpoint(task_class)
    task = served.generate(name=unit.task_name)
    task.bind(datastore, request_id, interrupted)
    task.notifier.register(taskflow_task.EVENT_UPDATE_PROGRESS, on_progress)
    work = f"guest.{unit.task_name}.{unit.action}"
    faults.point(f"{work}.before")
    with faults.inside(work):
        result = getattr(served, unit.action)(task, **arguments)
    faults.point(f"{work}.after")
    return result


def _succeeded(result: Any) -> Answer:
    try:
        size = len(json.dumps(result))
    except (TypeError, ValueError):
        raise UnfitAnswer(f"the task returned a {type(result).__name__} that is not JSON") from None
    if size > LARGEST_ANSWER:
        raise UnfitAnswer(f"the task returned {size} bytes; {LARGEST_ANSWER} are allowed")
    return {"state": wire.SUCCESS, "data": {"result": result}}


def failed(why: failure.Failure, hidden: list[str]) -> Answer:
    """The answer of a task that failed."""
    return {"state": wire.FAILURE, "data": {"result": redact(wire.failure_body(why), hidden)}}


def refused(error: Exception) -> Answer:
    """The answer to a request that is not run at all."""
    return failed(failure.Failure.from_exception(error), [])
