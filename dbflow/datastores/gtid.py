# SPDX-License-Identifier: Apache-2.0
"""MariaDB's GTID positions, as text: ``0-7-1204,1-7-3`` (domain, server, number)."""


def transactions(position: str) -> dict[str, int]:
    """How many transactions there are of each domain. Servers with the same past have beginnings of the same sequence
    of each."""
    parts = [gtid.split("-") for gtid in position.split(",") if gtid]
    return {domain: int(number) for domain, _, number in parts}


def covers(position: str, other: str) -> bool:
    """Whether who stands at ``position`` has all that was there at ``other``."""
    held = transactions(position)
    return all(held.get(domain, 0) >= number for domain, number in transactions(other).items())
