# SPDX-License-Identifier: Apache-2.0
"""What a user is told of an error log."""

from guest.datastores.mariadb.log import reason

PORT_TAKEN = """\
2026-11-21 22:19:13 0 [Note] InnoDB: Buffer pool(s) load completed at 261121 22:19:13
2026-11-21 22:19:13 0 [Warning] Could not increase number of max_open_files to more than 20000 (request: 32184)
2026-11-21 22:19:13 0 [ERROR] Can't start server: Bind on TCP/IP port. Got error: 98: Address already in use
2026-11-21 22:19:13 0 [ERROR] Do you already have another server running on port: 3306 ?
2026-11-21 22:19:13 0 [ERROR] Aborting
"""
NO_MEMORY = """\
2026-11-21 22:19:13 0 [ERROR] InnoDB: Cannot allocate memory for the buffer pool
2026-11-21 22:19:13 0 [ERROR] Plugin 'InnoDB' init function returned error.
2026-11-21 22:19:13 0 [ERROR] Plugin 'InnoDB' registration as a STORAGE ENGINE failed.
2026-11-21 22:19:13 0 [ERROR] Unknown/unsupported storage engine: InnoDB
2026-11-21 22:19:13 0 [ERROR] Aborting
"""


def test_cause_without_consequences() -> None:
    assert reason(NO_MEMORY) == "InnoDB: Cannot allocate memory for the buffer pool."


def test_several_causes() -> None:
    found = reason(PORT_TAKEN)
    assert found is not None
    assert found.startswith("Can't start server: Bind on TCP/IP port. Got error: 98: Address already in use. Do you")


def test_program_path_is_left_out() -> None:
    assert reason("… [ERROR] /usr/sbin/mariadbd: unknown variable 'x=1'") == "unknown variable 'x=1'."


def test_only_consequences_are_better_than_nothing() -> None:
    assert reason("… [ERROR] Aborting") == "Aborting."


def test_nothing_said() -> None:
    assert reason("2026-11-21 22:19:13 0 [Note] all is well") is None
