# SPDX-License-Identifier: Apache-2.0
"""The keys of secrets at rest change while operations run; no service is restarted."""

import json
import subprocess
from typing import Any

from tests.functional.stack import RealStack, mysql, new_password
from tests.functional.stack.process import SCRIPTS


def _manage(stack: RealStack, *arguments: str) -> Any:
    """dbflow-manage as an operator runs it: what it prints."""
    command = [str(SCRIPTS / "dbflow-manage"), "--config-file", str(stack.conf), "--format", "json", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_keys_are_rotated_while_operations_run(real_stack: RealStack) -> None:
    stack, client = real_stack, real_stack.client()
    first, changed = new_password(), new_password()
    with stack.nothing_left():
        databases = [{"name": "d"}]
        users = [{"name": "a", "password": first, "databases": databases}]
        with stack.faults.holding("create-server.execute.called") as held:
            instance_id, create = client.create("rotated", databases=databases, users=users)
            held.reached()
            assert _manage(stack, "key", "rotate")["resealed"] > 0
            assert _manage(stack, "key", "prune")["dropped"] == 1
        client.wait_operation(create)
        instance = client.wait_healthy(instance_id)
        mysql(instance, "a", first).close()
        _manage(stack, "key", "stage")
        assert _manage(stack, "key", "rotate")["unreadable"] == 0
        client.ask(
            "PUT", f"/instances/{instance_id}/users", {"users": [{"name": "a", "password": changed}]}, status=202
        )
        mysql(instance, "a", changed).close()
        client.wait_operation(client.act(instance_id, {"restart": {}}))
        assert _manage(stack, "key", "prune")["dropped"] == 1
        client.wait_healthy(instance_id)
        client.deleted(instance_id)
