# SPDX-License-Identifier: Apache-2.0
"""A guest agent without messages: installs its machine's datastore, or brings it up again, and waits."""

import argparse
import importlib.metadata
import pathlib
import signal

from guest import settings
from guest.datastores.base import Settings


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config-dir", type=pathlib.Path, required=True)
    told = settings.load(parser.parse_args().config_dir)
    (entry,) = importlib.metadata.entry_points(group="dbflow.guest.datastores", name=told.manager)
    datastore = entry.load()(told.machine(None))
    done = told.log_dir / "installed"
    if done.exists():
        datastore.lifecycle.resume()
    else:
        datastore.lifecycle.install(Settings(ram=256, vcpus=1), lambda fraction: None)
        done.touch()
    signal.pause()


if __name__ == "__main__":
    main()
