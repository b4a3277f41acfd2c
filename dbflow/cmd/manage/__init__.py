# SPDX-License-Identifier: Apache-2.0
"""dbflow-manage: look at operations and flows, steer them, and keep dbflow's own state."""

import argparse
import contextlib
import sys
from collections.abc import Sequence

from dbflow.cloud.base import CloudError
from dbflow.cmd.manage import authorities, board, clouds, datastores, flows, keys, keystone, operations, schema
from dbflow.cmd.manage.context import Context, ManageError

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command; its exit status."""
    parsed = parser().parse_args(arguments)
    try:
        return int(parsed.run(Context(parsed), parsed) or 0)
    except (ManageError, CloudError) as error:
        print(f"dbflow-manage: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # `… | head`
        with contextlib.suppress(OSError):
            sys.stdout.close()
        return 1


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    shared = argparse.ArgumentParser(add_help=False)
    top = argparse.ArgumentParser(prog="dbflow-manage", description=__doc__)
    # Before or after the sub-command; the latter must not set what the former has set.
    for where, default in ((top, "table"), (shared, argparse.SUPPRESS)):
        where.add_argument("--format", choices=["table", "json"], default=default, help="how answers are printed")
    top.add_argument("--config-file", action="append", default=[], metavar="FILE", help="instead of the usual files")
    top.add_argument("--config-dir", action="append", default=[], metavar="DIR", help="*.conf in a directory")
    top.add_argument("--state-dir", metavar="DIR", help="that of a dbflow-standalone; reads DIR/dbflow.conf")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for module in (schema, operations, flows, board, datastores, clouds, keys, authorities, keystone):
        module.register(commands, shared)
    return top
