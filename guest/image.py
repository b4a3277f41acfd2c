# SPDX-License-Identifier: Apache-2.0
"""``python -m guest.image MANAGER TARGET [--run-as USER]``: prepare a data directory for new instances to copy."""

import argparse
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Sequence

from dbflow import plugins
from guest.datastores.base import Datastore, DatastoreError, Machine

ENTRY_POINTS = "dbflow.guest.datastores"


def build(manager: str, target: pathlib.Path, run_as: str | None) -> None:
    """Have the manager's plug-in build its image at ``target``, on a machine that exists for this only."""
    (entry,) = plugins.of(ENTRY_POINTS).select(name=manager)
    with tempfile.TemporaryDirectory(prefix="dbflow-image-") as work:
        datastore: Datastore = entry.load()(_machine(pathlib.Path(work), run_as))
        datastore.lifecycle.build_image(target)


def _machine(work: pathlib.Path, run_as: str | None) -> Machine:
    work.chmod(0o711)
    directories = [work / name for name in ("data", "run", "log")]
    for directory in directories:
        directory.mkdir(mode=0o700)
        if run_as is not None:
            shutil.chown(directory, run_as)
    data, run, log = directories
    return Machine(
        instance_id="image",
        address="127.0.0.1",
        port=0,
        data_dir=data,
        run_dir=run,
        log_dir=log,
        run_as=run_as,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0, or 1 with the reason as the last line of stderr."""
    parser = argparse.ArgumentParser(prog="python -m guest.image", description=__doc__)
    parser.add_argument("manager", choices=sorted(plugins.of(ENTRY_POINTS).names))
    parser.add_argument("target", type=pathlib.Path)
    parser.add_argument("--run-as", metavar="USER")
    arguments = parser.parse_args(argv)
    try:
        build(arguments.manager, arguments.target, arguments.run_as)
    except DatastoreError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
