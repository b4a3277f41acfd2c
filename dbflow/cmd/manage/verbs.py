# SPDX-License-Identifier: Apache-2.0
"""How a module of sub-commands declares them."""

import argparse
from collections.abc import Callable
from typing import Any

from dbflow.cmd.manage.context import Context

Run = Callable[[Context, argparse.Namespace], int | None]
Commands = Any
"""What argparse's add_subparsers() returns; it has no public name."""


class Noun:
    """``dbflow-manage NOUN VERB``."""

    def __init__(self, commands: Commands, shared: argparse.ArgumentParser, name: str, about: str) -> None:
        self._shared = shared
        self._verbs = commands.add_parser(name, help=about, description=about).add_subparsers(
            required=True, metavar="VERB"
        )

    def verb(self, name: str, run: Run, about: str) -> argparse.ArgumentParser:
        """Add a verb; returns its parser, for arguments."""
        parser: argparse.ArgumentParser = self._verbs.add_parser(
            name, help=about, description=about, parents=[self._shared]
        )
        parser.set_defaults(run=run)
        return parser
