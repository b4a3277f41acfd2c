# SPDX-License-Identifier: Apache-2.0
"""Many at once."""

import time
from concurrent import futures

from tests.functional.stack import Stack

MANY = 20


def test_twenty_at_once(embedded_stack: Stack) -> None:
    stack, client = embedded_stack, embedded_stack.client()
    with stack.nothing_left(), futures.ThreadPoolExecutor(MANY) as pool:
        began = time.monotonic()
        instance_ids = [one[0] for one in pool.map(client.create, [f"many-{n}" for n in range(MANY)])]
        accepted = time.monotonic()
        shown = [client.wait_status(instance_id, "ACTIVE", 250) for instance_id in instance_ids]
        active = time.monotonic()
        assert len({one["ip"][0] for one in shown}) == MANY
        deletes = list(pool.map(client.delete, instance_ids))
        for delete in deletes:
            client.wait_operation(delete)
        gone = time.monotonic()
    print(
        f"\n{MANY} instances: accepted in {accepted - began:.1f} s, ACTIVE after {active - began:.1f} s, "
        f"gone {gone - active:.1f} s after the deletes"
    )
