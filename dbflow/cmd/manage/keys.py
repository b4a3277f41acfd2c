# SPDX-License-Identifier: Apache-2.0
"""key generate"""

import argparse

from dbflow.cmd.manage.context import Context, ManageError
from dbflow.cmd.manage.verbs import Commands, Noun
from dbflow.crypto import Keyring


def register(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the sub-command."""
    noun = Noun(commands, shared, "key", "the keys that seal secrets at rest")
    generate = noun.verb("generate", make, "write a key file (mode 0600); never overwrites one")
    generate.add_argument("file", nargs="?", help="default: [security] key_file")


def make(context: Context, arguments: argparse.Namespace) -> None:
    """The key itself is not printed."""
    path = arguments.file or context.conf.security.key_file
    try:
        Keyring.create_file(path)
    except OSError as error:
        raise ManageError(str(error)) from None
    context.record({"file": path})
