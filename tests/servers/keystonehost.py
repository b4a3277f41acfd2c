# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.servers.keystonehost DIRECTORY PORT``: a Keystone in one process, made from nothing.

``keystone-manage db_sync`` and ``bootstrap`` would load everything twice more, which takes most of the time.
"""

import multiprocessing
import os
import pathlib
import sys

import waitress
from cryptography.fernet import Fernet

CONFIG = """\
[DEFAULT]
use_stderr = true
[database]
connection = sqlite:///{directory}/keystone.sqlite
[fernet_tokens]
key_repository = {directory}/fernet
[fernet_receipts]
key_repository = {directory}/fernet
[cache]
enabled = false
[identity]
password_hash_rounds = 4
"""


def main(directory: pathlib.Path, port: int, password: str) -> None:
    """Serve until killed; the user ``admin`` of the project ``admin`` has the role of that name."""
    fernet = directory / "fernet"
    fernet.mkdir(mode=0o700)
    for name in ("0", "1"):
        (fernet / name).write_bytes(Fernet.generate_key())
    config = directory / "keystone.conf"
    config.write_text(CONFIG.format(directory=directory))
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = str(config)

    from keystone.server.wsgi import initialize_public_application

    # In a process of its own, since it locks what the application sets up; forked, so that all is loaded once.
    first = multiprocessing.get_context("fork").Process(target=_fill, args=(config, port, password))
    first.start()
    first.join()
    if first.exitcode != 0:
        sys.exit(1)
    waitress.serve(initialize_public_application(), host="127.0.0.1", port=port)


def _fill(config: pathlib.Path, port: int, password: str) -> None:
    from keystone.cmd.bootstrap import Bootstrapper
    from keystone.common.sql import upgrades
    from keystone.server import configure

    configure(config_files=[str(config)])
    upgrades.offline_sync_database_to_version()
    bootstrap = Bootstrapper()
    bootstrap.admin_username, bootstrap.admin_password = "admin", password
    bootstrap.project_name, bootstrap.admin_role_name = "admin", "admin"
    bootstrap.service_name, bootstrap.region_id = "keystone", "test"
    bootstrap.public_url = bootstrap.internal_url = f"http://127.0.0.1:{port}/v3"
    bootstrap.bootstrap()


if __name__ == "__main__":
    _directory, _port = sys.argv[1:]
    del sys.argv[1:]  # Keystone reads them, too
    main(pathlib.Path(_directory), int(_port), os.environ["KEYSTONE_PASSWORD"])
