# SPDX-License-Identifier: Apache-2.0
"""Tables to have something to copy."""

from pymysql.cursors import Cursor

_ROWS = 136
"""Rows of 7.5 KiB an INSERT makes: 1 MiB; two of them fill a page."""
_TEXT = ", ".join(["HEX(RANDOM_BYTES(960))"] * 4)


def fill(cursor: Cursor, size: int) -> None:
    """A table of so many MiB that compress to about a half, as text does not and tables do."""
    cursor.execute("CREATE TABLE t (n BIGINT AUTO_INCREMENT PRIMARY KEY, x MEDIUMBLOB)")
    for _ in range(size):
        cursor.execute(f"INSERT INTO t (x) SELECT CONCAT({_TEXT}) FROM seq_1_to_{_ROWS}")
