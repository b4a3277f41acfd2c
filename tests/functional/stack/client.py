# SPDX-License-Identifier: Apache-2.0
"""A small client of the REST API, for tests that say what they send."""

import secrets
from typing import Any

import openstack
import pymysql
import requests

from tests.waiting import wait_for

PATIENCE = 120.0
"""Seconds to wait for what takes one or two on a machine with nothing else to do."""
ENDED = ("SUCCESS", "REVERTED", "FAILED")

PASSWORDS: set[str] = set()
"""Every password that a test of this process has used: none may be found anywhere afterwards."""


def new_password(odd: str = "") -> str:
    """A password to be searched for later."""
    made = f"pw-{secrets.token_urlsafe(18)}{odd}"
    PASSWORDS.add(made)
    return made


class Client:
    """One user of one project."""

    def __init__(self, endpoint: str, token: str) -> None:
        """``endpoint`` ends with the project's id."""
        self.endpoint, self._token = endpoint, token
        self.project = endpoint.rpartition("/")[2]
        self.headers = {"X-Auth-Token": token}

    def ask(self, method: str, path: str, body: Any = None, *, status: int | None = None) -> Any:
        """The decoded answer. AssertionError when the status is not the expected one (any below 300 by default)."""
        answer = self.raw(method, path, body)
        fits = answer.status_code == status if status is not None else answer.status_code < 300
        assert fits, f"{method} {path}: {answer.status_code} {answer.text[:1000]}"
        return answer.json() if answer.content else None

    def raw(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """The answer as it is."""
        return requests.request(
            method, f"{self.endpoint}{path}", json=body, headers=self.headers | headers, timeout=PATIENCE
        )

    def sdk(self) -> Any:
        """openstacksdk's connection."""
        return openstack.connection.Connection(
            auth_type="admin_token",
            auth={"endpoint": self.endpoint, "token": self._token},
            database_endpoint_override=self.endpoint,
        )

    def create(self, name: str, *, flavor: str = "1", size: int = 1, **more: Any) -> tuple[str, str]:
        """Ask for an instance: (its id, the id of the operation)."""
        body = {"instance": {"name": name, "flavorRef": flavor, "volume": {"size": size}, **more}}
        answer = self.raw("POST", "/instances", body)
        assert answer.status_code == 200, answer.text
        return answer.json()["instance"]["id"], operation_of(answer)

    def created(self, name: str, **more: Any) -> dict[str, Any]:
        """Create and wait until it is ACTIVE."""
        instance_id, _ = self.create(name, **more)
        return self.wait_status(instance_id, "ACTIVE")

    def show(self, instance_id: str) -> dict[str, Any]:
        """The instance."""
        found: dict[str, Any] = self.ask("GET", f"/instances/{instance_id}")["instance"]
        return found

    def act(self, instance_id: str, action: dict[str, Any]) -> str:
        """POST an action: the id of its operation."""
        answer = self.raw("POST", f"/instances/{instance_id}/action", action)
        assert answer.status_code == 202, answer.text
        return operation_of(answer)

    def delete(self, instance_id: str) -> str:
        """Ask for its end: the id of the operation."""
        answer = self.raw("DELETE", f"/instances/{instance_id}")
        assert answer.status_code == 202, answer.text
        return operation_of(answer)

    def deleted(self, *instance_ids: str) -> None:
        """Delete and wait until they are gone."""
        for operation_id in [self.delete(instance_id) for instance_id in instance_ids]:
            self.wait_operation(operation_id)
        for instance_id in instance_ids:
            self.ask("GET", f"/instances/{instance_id}", status=404)

    def back_up(self, instance_id: str, name: str = "backup", **more: Any) -> tuple[str, str]:
        """Ask for a backup: (its id, the id of the operation)."""
        answer = self.raw("POST", "/backups", {"backup": {"name": name, "instance": instance_id, **more}})
        assert answer.status_code == 202, answer.text
        return answer.json()["backup"]["id"], operation_of(answer)

    def wait_backup(self, backup_id: str, status: str = "COMPLETED") -> dict[str, Any]:
        """Until a backup has that status; AssertionError at once when it has another one for good."""

        def reached() -> dict[str, Any] | None:
            found: dict[str, Any] = self.ask("GET", f"/backups/{backup_id}")["backup"]
            if found["status"] == status:
                return found
            assert found["status"] in {"NEW", "BUILDING", "SAVING"}, found
            return None

        return wait_for(reached, PATIENCE, f"backup {backup_id} {status}")

    def delete_backup(self, backup_id: str) -> None:
        """Delete and wait until it is gone."""
        answer = self.raw("DELETE", f"/backups/{backup_id}")
        assert answer.status_code == 202, answer.text
        self.wait_operation(operation_of(answer))
        self.ask("GET", f"/backups/{backup_id}", status=404)

    def operation(self, operation_id: str) -> dict[str, Any]:
        """The operation with its steps."""
        found: dict[str, Any] = self.ask("GET", f"/operations/{operation_id}")["operation"]
        return found

    def do(self, operation_id: str, verb: str) -> None:
        """cancel, suspend, resume, retry or release."""
        self.ask("POST", f"/operations/{operation_id}/{verb}", status=202)

    def wait_operation(self, operation_id: str, state: str = "SUCCESS", timeout: float = PATIENCE) -> dict[str, Any]:
        """Until it is in that state; AssertionError at once when it ends in another."""
        return wait_for(lambda: self._in_state(operation_id, state), timeout, f"operation {operation_id} {state}")

    def _in_state(self, operation_id: str, state: str) -> dict[str, Any] | None:
        found = self.operation(operation_id)
        if found["state"] == state:
            return found
        assert found["state"] not in ENDED, f"wanted {state}: {found}"
        return None

    def wait_step(self, operation_id: str, step: str, *states: str) -> None:
        """Until a step of an operation is in one of the states (RUNNING or any later one by default)."""
        wanted = states or ("RUNNING", "SUCCESS", "FAILURE", "REVERTING", "REVERTED")

        def reached() -> bool:
            found = {one["name"]: one["state"] for one in self.operation(operation_id)["steps"]}
            return found.get(step) in wanted

        wait_for(reached, PATIENCE, f"step {step} of {operation_id}")

    def wait_status(self, instance_id: str, status: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """Until the instance has that status; AssertionError at once when it is ERROR instead."""

        def reached() -> dict[str, Any] | None:
            found = self.show(instance_id)
            if found["status"] == status:
                return found
            assert found["status"] != "ERROR", found
            return None

        return wait_for(reached, timeout, f"instance {instance_id} {status}")

    def wait_healthy(self, instance_id: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """Until its guest says that it is well."""

        def healthy() -> dict[str, Any] | None:
            found = self.show(instance_id)
            return found if (found["status"], found["operating_status"]) == ("ACTIVE", "HEALTHY") else None

        return wait_for(healthy, timeout, f"instance {instance_id} HEALTHY")


def operation_of(answer: requests.Response) -> str:
    """The id in the header ``Link: <…/operations/ID>; rel="operation"``."""
    href: str = answer.links["operation"]["url"]
    return href.rpartition("/")[2]


def mysql(
    instance: dict[str, Any], user: str, password: str, database: str | None = None, **more: Any
) -> "pymysql.Connection[pymysql.cursors.Cursor]":
    """A connection to the instance's database, as its users make them; ``more`` is for PyMySQL."""
    # PyMySQL would make latin-1 of a str.
    secret: Any = password.encode()
    host: str = instance["ip"][0]
    return pymysql.connect(
        host=host, user=user, password=secret, database=database, autocommit=True, connect_timeout=10, **more
    )


def query(connection: "pymysql.Connection[pymysql.cursors.Cursor]", statement: str) -> list[tuple[Any, ...]]:
    """Run a statement: its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())
