# SPDX-License-Identifier: Apache-2.0
"""TaskFlow's task, made quickly."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from taskflow import task

_MOST = 1000
"""Kinds of tasks that are remembered; flows have a few dozen."""

_known: dict[tuple[type, str, str], tuple[Any, Any, Any]] = {}


class Task(task.Task):
    """Base of all tasks of all flows.

    A flow is built anew for each run, and TaskFlow looks up the signatures of each of its tasks; here that happens
    once for all tasks that are alike.
    """

    def _build_arg_mapping(
        self,
        executor: Callable[..., Any],
        requires: Collection[str] | None = None,
        rebind: Mapping[str, str] | Collection[str] | None = None,
        auto_extract: bool = True,
        ignore_list: Collection[str] | None = None,
    ) -> tuple[Any, Any, Any]:
        injected = sorted(self.inject or ())
        alike = type(self), executor.__name__, repr((requires, rebind, auto_extract, ignore_list, injected))
        found = _known.get(alike)
        if found is None:
            found = super()._build_arg_mapping(executor, requires, rebind, auto_extract, ignore_list)
            if len(_known) >= _MOST:
                _known.clear()
            _known[alike] = found
        bound, required, optional = found
        return bound.copy(), required.copy(), optional.copy()
