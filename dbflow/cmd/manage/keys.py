# SPDX-License-Identifier: Apache-2.0
"""key generate, stage, rotate, prune"""

import argparse
import contextlib
from collections.abc import Iterator

from dbflow import faults
from dbflow.cmd.manage.context import Context, ManageError
from dbflow.cmd.manage.verbs import Commands, Noun
from dbflow.crypto import Keyring
from dbflow.keyfile import KeyFile, KeyFileChanged
from dbflow.resealing import reseal, still_needed


def register(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the sub-commands."""
    noun = Noun(commands, shared, "key", "the keys that seal secrets at rest")
    generate = noun.verb("generate", make, "write a key file (mode 0600); never overwrites one")
    generate.add_argument("file", nargs="?", help="default: [security] key_file")
    noun.verb("stage", stage, "add a key that seals from the next rotation on; copy the file to every machine then")
    noun.verb("rotate", rotate, "seal with the staged key, or a new one, and seal everything in SQL anew with it")
    noun.verb("prune", prune, "drop the keys that nothing in SQL is sealed with any more")


def make(context: Context, arguments: argparse.Namespace) -> None:
    """The key itself is not printed."""
    path = arguments.file or context.conf.security.key_file
    try:
        Keyring.create_file(path)
    except OSError as error:
        raise ManageError(str(error)) from None
    context.record({"file": path})


def stage(context: Context, _arguments: argparse.Namespace) -> None:
    """Nothing is sealed with it before every machine can unseal it."""
    with _file(context) as file:
        file.stage()
        context.record({"file": str(file.path), "keys": len(file.keys())})


def rotate(context: Context, _arguments: argparse.Namespace) -> int:
    """Cut off anywhere, it goes on where it stopped when it is run again."""
    with _file(context) as file:
        if not file.rotate():
            context.note("going on with a rotation that was not finished or not pruned; no new key is made")
        faults.point("key.rotate.written")
        with context.write():  # says whether there is a database, before everything is read
            pass
        done = reseal(context.database, Keyring.from_file(file.path))
    unreadable = done.pop("unreadable", 0)
    context.record({"file": str(file.path), "resealed": done.total(), "unreadable": unreadable})
    if unreadable:
        context.note(f"{unreadable} values are sealed with a key that is not in the file")
    return 1 if unreadable else 0


def prune(context: Context, _arguments: argparse.Namespace) -> None:
    """Refuses while an older key is needed."""
    with _file(context) as file:
        stamp, keys = file.stamp(), file.keys()
        needed = still_needed(context.database, Keyring(keys[:1]), Keyring(keys))
        if needed:
            raise ManageError(f"{needed} values are sealed with older keys; run: dbflow-manage key rotate")
        try:
            dropped = file.prune(stamp)
        except KeyFileChanged as error:  # by a hand that knows no lock
            raise ManageError(f"{error}; nothing is dropped") from None
        context.record({"file": str(file.path), "dropped": dropped})


@contextlib.contextmanager
def _file(context: Context) -> Iterator[KeyFile]:
    """One verb at a time, each from its first look to its end."""
    file = KeyFile(context.conf.security.key_file)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(file.locked())
            Keyring(file.keys())
        except (OSError, ValueError) as error:
            raise ManageError(f"the keys can't be read: {error}") from None
        yield file
