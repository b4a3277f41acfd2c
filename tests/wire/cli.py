# SPDX-License-Identifier: Apache-2.0
"""The ``openstack`` command, unmodified: every call is a fresh process that runs the program's own ``main``.

The processes are forked from one that has the program's modules loaded, which is a second of work each time.
"""

import json
import multiprocessing
import os
import pathlib
import sys
import tempfile
from typing import Any

SUCCEEDED: list[list[str]] = []
"""What this process has called, each as a list of its words, and has ended well."""
_PRELOAD = ["openstackclient.shell", "troveclient.v1.client"]


class Refused(Exception):
    """The command ended with a status other than 0; the text is what it wrote."""


class OpenStack:
    """``openstack`` as a user of one cloud of a clouds.yaml."""

    def __init__(self, clouds: pathlib.Path, cloud: str) -> None:
        self._settings = {"OS_CLIENT_CONFIG_FILE": str(clouds), "OS_CLOUD": cloud}
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(_PRELOAD)

    def __call__(self, command: str, *words: object) -> str:
        """What the command writes; ``command`` is split at spaces, ``words`` are not. Raises Refused."""
        arguments = [*command.split(), *map(str, words)]
        with tempfile.NamedTemporaryFile("r") as output:
            process = self._processes.Process(target=_run, args=(arguments, self._settings, output.name))
            process.start()
            process.join()
            text = output.read()
        if process.exitcode != 0:
            raise Refused(text)
        SUCCEEDED.append(arguments)
        return text

    def table(self, command: str, *words: object) -> Any:
        """What the command shows: a dictionary, or a list of them."""
        text = self(command, *words, "-f", "json")
        return json.loads(text[min(at for at in (text.find("["), text.find("{")) if at >= 0) :])


def environment(settings: dict[str, str]) -> dict[str, str]:
    """This process's without anything about another cloud."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OS_")} | settings


def _run(arguments: list[str], settings: dict[str, str], output: str) -> None:
    wanted = environment(settings)
    os.environ.clear()
    os.environ.update(wanted)
    file = os.open(output, os.O_WRONLY | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)

    import openstackclient.shell

    sys.exit(openstackclient.shell.main(arguments))
