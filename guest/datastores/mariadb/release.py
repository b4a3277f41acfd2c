# SPDX-License-Identifier: Apache-2.0
"""Of which release the data is: a server of another one must not start on it but in an upgrade, which can go back.

Written down beside the data when a server has started, with what identifies its program: a start with the same
program needs to ask nothing.
"""

import json
import re
import subprocess

from guest.datastores.base import DatastoreError
from guest.datastores.mariadb import image, programs
from guest.datastores.mariadb.layout import Layout, write

_NUMBER = re.compile(r"(\d+\.\d+)\.\d+")
_TOLD = re.compile(r" Ver (\S+)")
"""After the path of the program, which may have numbers, too."""
_TIMEOUT = 60.0
"""Seconds; it takes a fiftieth of one."""


def release_of(version: str) -> str:
    """Such as 10.11, of 10.11.14-MariaDB. DatastoreError when there is no number in it."""
    found = _NUMBER.search(version)
    if found is None:
        raise DatastoreError("The database server tells no version.")
    return found[1]


def of_programs(layout: Layout) -> str:
    """Of the programs that are here."""
    try:
        done = subprocess.run(
            [layout.program("mariadbd"), "--no-defaults", "--version"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
            cwd="/",
            **programs.as_user(layout.owner),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DatastoreError(f"The database server's programs can't be run: {error}") from None
    told = _TOLD.search(done.stdout)
    return release_of(told[1] if told else "")


def must_fit(layout: Layout) -> None:
    """DatastoreError when the programs are of another release than the data."""
    kept = _kept(layout)
    if kept is None or kept["program"] == image.maker(layout):
        return
    found = of_programs(layout)
    if found != kept["release"]:
        raise DatastoreError(
            f"The data is of release {kept['release']} and the machine's programs are of {found}: only an upgrade may"
            " start them on it."
        )


def begin(layout: Layout, release: str) -> None:
    """From now on the data is on its way to that release: it is no release's until ``note`` says so."""
    write(layout.release, json.dumps({"release": f"{release} (unfinished)", "program": ""}))


def note(layout: Layout, release: str, *, started: bool) -> None:
    """The data is of that release. ``started``: the programs that are here have started a server on it; those of one
    that runs since nobody knows when may be others by now."""
    kept = _kept(layout)
    now = {"release": release, "program": image.maker(layout) if started else ""}
    if (started or kept is None) and now != kept:
        write(layout.release, json.dumps(now))


def _kept(layout: Layout) -> dict[str, str] | None:
    try:
        kept: dict[str, str] = json.loads(layout.release.read_text(encoding="utf-8"))
    except FileNotFoundError:  # its server was never started by an agent that writes it down
        return None
    return kept
