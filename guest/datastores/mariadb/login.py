# SPDX-License-Identifier: Apache-2.0
"""The administrator's login, for MariaDB's programs: in a file, since others may read a command line."""

import pathlib

from dbflow.datastores.mariadb import ADMIN_USER
from guest.datastores.mariadb.layout import Layout, write


def write_login(layout: Layout, path: pathlib.Path) -> None:
    """Readable by the programs' user only; who has it written removes it."""
    password = layout.secret.read_text()
    lines = ["[client]", f"socket = {layout.socket}", f"user = {ADMIN_USER}", f"password = {password}", ""]
    write(path, "\n".join(lines), layout.owner)
