# SPDX-License-Identifier: Apache-2.0
"""Guest tasks by class path. Only those of known packages: a message never decides what is imported."""

import functools
import importlib

from dbflow import plugins
from guest.tasks.base import GuestTask

OURS = "guest.tasks"
GROUP = "dbflow.guest.tasks"
"""Entry points of this group name further packages of guest tasks."""


class UnknownTask(Exception):
    """No guest task of that path here."""


@functools.cache
def task_class(path: str) -> type[GuestTask]:
    """The task class of a path such as ``guest.tasks.accounts.CreateUsers``."""
    module_name, _, name = path.rpartition(".")
    if not _allowed(module_name):
        raise UnknownTask(f"{path} is not in a package of guest tasks")
    try:
        found = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError):
        raise UnknownTask(f"there is no {path}") from None
    if not (isinstance(found, type) and issubclass(found, GuestTask) and found.path() == path):
        raise UnknownTask(f"{path} is not a guest task")
    return found


def _allowed(module_name: str) -> bool:
    if _inside(module_name, OURS):
        return True
    return any(_inside(module_name, entry.value) for entry in plugins.of(GROUP))


def _inside(module_name: str, package: str) -> bool:
    return module_name == package or module_name.startswith(f"{package}.")
