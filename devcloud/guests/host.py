# SPDX-License-Identifier: Apache-2.0
"""Commands of this machine."""

import shlex
import subprocess


class HostError(Exception):
    """A command failed; its output."""


def run(*command: str) -> str:
    """What it prints. HostError when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise HostError(f"{shlex.join(command)}: {done.stdout}")
    return done.stdout.strip()


def attempt(*command: str) -> None:
    """What may be done already."""
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def ip(namespace: str, *lines: str) -> None:
    """ip(8) within a network namespace, a line each."""
    for line in lines:
        run("ip", "-n", namespace, *line.split())
