# SPDX-License-Identifier: Apache-2.0
"""How long the steps of a flow take, as its engine tells of their states."""

import re
import time
from typing import Any

from taskflow import states
from taskflow.types.notifier import Notifier

from dbflow.metrics import Metrics

_BEGIN = frozenset({states.RUNNING, states.REVERTING})
_END = frozenset({states.SUCCESS, states.FAILURE, states.REVERTED, states.REVERT_FAILURE})
_NUMBER = re.compile(r"-\d+$")
"""Of one of several replicas: the step is the same for each."""


class StepTimes:
    """Of one run of an operation; a step that another conductor began is not told of."""

    def __init__(self, metrics: Metrics, kind: str) -> None:
        self._metrics, self._kind = metrics, kind
        self._began: dict[str, float] = {}

    def listen(self, notifier: Notifier) -> None:
        """To an engine's atoms."""
        notifier.register(Notifier.ANY, self._changed)

    def _changed(self, state: str, details: dict[str, Any]) -> None:
        name = details.get("task_name")
        if name is None:
            return
        if state in _BEGIN:
            self._began[name] = time.monotonic()
        elif state in _END and (began := self._began.pop(name, None)) is not None:
            self._metrics.step(self._kind, _NUMBER.sub("", name), state, time.monotonic() - began)
