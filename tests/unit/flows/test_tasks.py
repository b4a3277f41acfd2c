# SPDX-License-Identifier: Apache-2.0
"""What tasks take, looked up once, is what TaskFlow says of each."""

from typing import Any

import pytest
from taskflow import task

from dbflow.tasks import Task


class _Ours(Task):
    def execute(self, one: int, two: int = 2) -> int:
        return one + two

    def revert(self, one: int, **kwargs: Any) -> None:
        """Takes less."""


class _Stock(task.Task):
    execute, revert = _Ours.execute, _Ours.revert


MADE: list[dict[str, Any]] = [
    {},
    {"rebind": {"one": "first"}},
    {"rebind": ["first"]},
    {"requires": ["more"]},
    {"inject": {"one": 1}},
    {"inject": {"two": 2}},
    {},
]


def _told(made: task.Task) -> tuple[Any, ...]:
    return made.rebind, made.requires, made.optional, made.revert_rebind, made.revert_optional


@pytest.mark.parametrize("_", [1, 2])
def test_alike_as_taskflow_says(_: int) -> None:
    for number, arguments in enumerate(MADE):
        if "requires" in arguments:
            for kind in (_Ours, _Stock):
                with pytest.raises(ValueError, match=f"atom t-{number}"):
                    kind(f"t-{number}", **arguments)
        else:
            assert _told(_Ours(f"t-{number}", **arguments)) == _told(_Stock(f"t-{number}", **arguments))


def test_one_task_does_not_change_another() -> None:
    _Ours("a").rebind["one"] = "else"
    assert _Ours("b").rebind == _Stock("c").rebind
