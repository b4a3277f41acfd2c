# SPDX-License-Identifier: Apache-2.0
"""Tables to have something to copy."""

import os

from pymysql.cursors import Cursor

_ROWS = 64
"""Rows of 16 KiB an INSERT makes: 1 MiB."""


def fill(cursor: Cursor, size: int) -> None:
    """A table of so many MiB that compress to about a half, as text does not and tables do."""
    cursor.execute("CREATE TABLE t (n BIGINT AUTO_INCREMENT PRIMARY KEY, x MEDIUMBLOB)")
    for _ in range(size):
        half = os.urandom(8 * 1024).hex()
        cursor.execute(f"INSERT INTO t (x) SELECT concat(seq, '{half}') FROM seq_1_to_{_ROWS}")
