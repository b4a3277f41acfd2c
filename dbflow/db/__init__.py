# SPDX-License-Identifier: Apache-2.0
"""dbflow's own state in SQL: SQLite (WAL) or MariaDB/MySQL."""
