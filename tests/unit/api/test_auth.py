# SPDX-License-Identifier: Apache-2.0
"""Tokens, projects, roles, request ids, and what needs no token."""

import hashlib
import json
import re
import stat

import pytest

from dbflow import policy
from dbflow.api.auth import KeystoneAuth, TokenFileAuth
from tests.fixtures import trove_rules
from tests.unit.api.world import TOKENS, World


@pytest.mark.parametrize("token", [None, "", "wrong", "owner ", "\u00e9", "x" * 10_000])
def test_no_valid_token(world: World, token: str | None) -> None:
    headers = {} if token is None else {"X-Auth-Token": token}
    answer = world.ask("GET", "/v1.0/p1/instances", None, headers=headers)
    assert (answer.status_code, set(answer.json)) == (401, {"unauthorized"})
    assert answer.headers["WWW-Authenticate"]


def test_a_token_of_another_project(world: World) -> None:
    for token in ("other", "admin"):
        answer = world.ask("POST", "/v1.0/p1/instances", token, json={})
        assert answer.status_code == 403
        assert answer.mimetype == "text/html"
        assert answer.text == f"User with tenant id {TOKENS[token]['project_id']} cannot access this resource."


@pytest.mark.parametrize("path", ["/", "/v1.0", "/v1.0/", "/healthcheck", "/doc", "/doc/", "/swagger.json"])
def test_what_needs_no_token(world: World, path: str) -> None:
    assert world.ask("GET", path, None).status_code == 200


def test_the_versions(world: World) -> None:
    version = {
        "id": "v1.0",
        "status": "CURRENT",
        "updated": "2012-08-01T00:00:00Z",
        "links": [{"rel": "self", "href": "https://localhost/v1.0/"}],
    }
    assert world.ask("GET", "/", None).json == {"versions": [version]}
    assert world.ask("GET", "/v1.0", None).json == {"version": version}
    assert world.ask("GET", "/v2.0/p1/instances").status_code == 404


def test_another_projects_instance(world: World) -> None:
    instance_id = world.active()
    for method, path, body in (
        ("GET", "", None),
        ("PUT", "", {"instance": {"name": "mine"}}),
        ("DELETE", "", None),
        ("POST", "/action", {"restart": {}}),
    ):
        assert world.ask(method, f"instances/{instance_id}{path}", "other", json=body).status_code == 404
    assert world.ask("GET", "instances", "other").json == {"instances": []}
    assert world.ask("GET", f"instances?marker={instance_id}", "other").status_code == 400
    assert world.instance(instance_id).operation_id is None


def test_readers_read(world: World) -> None:
    instance_id = world.active()
    for path in ("instances", f"instances/{instance_id}", f"instances/{instance_id}/databases", "limits", "operations"):
        assert world.ask("GET", path, "reader").status_code == 200
    for method, path, body in (
        ("POST", "instances", {"instance": {"name": "x"}}),
        ("DELETE", f"instances/{instance_id}", None),
        ("PUT", f"instances/{instance_id}", {"instance": {"name": "x"}}),
        ("POST", f"instances/{instance_id}/action", {"restart": {}}),
        ("POST", f"instances/{instance_id}/databases", {"databases": [{"name": "x"}]}),
        ("POST", f"instances/{instance_id}/root", {}),
        ("POST", "operations/x/cancel", None),
    ):
        answer = world.ask(method, path, "reader", json=body)
        assert answer.status_code == 403
    assert "instance:create" in world.ask("POST", "instances", "reader", json={}).json["forbidden"]["message"]


def test_roles_of_before_keep_their_rights(world: World) -> None:
    assert world.create("legacy").status_code == 200


def test_request_ids(world: World) -> None:
    mine = "req-0e7a1b6c-33c5-4c4a-8e5d-4f3b8f4e6a11"
    answer = world.create()
    own = answer.headers["X-Openstack-Request-Id"]
    assert re.fullmatch(r"req-[0-9a-f-]{36}", own)
    assert answer.headers["X-Compute-Request-Id"] == own
    row = world.instance(answer.json["instance"]["id"])
    assert world.operation(row.operation_id or "").request_id == own
    for sent, kept in ((mine, True), ("req-x'; drop", False), (f"{mine}x", False)):
        path = f"instances/{world.active()}/action"
        world.ask("POST", path, json={"restart": {}}, headers={"X-Openstack-Request-Id": sent})
        operation_id = world.instance(path.split("/")[1]).operation_id or ""
        assert (world.operation(operation_id).request_id == sent) is kept


def test_the_token_file(world: World) -> None:
    text = world.token_file.read_text()
    assert hashlib.sha256(b"owner").hexdigest() in text
    assert '"owner"' not in text
    assert stat.S_IMODE(world.token_file.stat().st_mode) == 0o600
    TokenFileAuth.write(world.token_file, {"fresh": TOKENS["owner"]})
    assert world.ask("GET", "instances", "owner").status_code == 401
    assert world.ask("GET", "/v1.0/p1/instances", None, headers={"X-Auth-Token": "fresh"}).status_code == 200
    world.token_file.chmod(0o640)
    with pytest.raises(PermissionError):
        TokenFileAuth(world.token_file)


def test_what_keystonemiddleware_says(world: World) -> None:
    auth = KeystoneAuth(world.conf)
    known = {
        "HTTP_X_IDENTITY_STATUS": "Confirmed",
        "HTTP_X_USER_ID": "u",
        "HTTP_X_PROJECT_ID": "p",
        "HTTP_X_ROLES": "Admin, reader",
    }
    identity = auth.identify(known)
    assert identity is not None
    assert (identity.user_id, identity.project_id, identity.roles) == ("u", "p", {"admin", "reader"})
    assert auth.identify(known | {"HTTP_X_IDENTITY_STATUS": "Invalid"}) is None
    assert auth.identify({**known, "HTTP_X_PROJECT_ID": ""}) is None


def test_the_rules_are_troves() -> None:
    """All but those of clusters, and what Trove has no names for; so a policy file of a deployment still counts."""
    names = [rule.name for rule in policy.list_rules()]
    assert len(names) == len(set(names))
    assert len(trove_rules.RULES) == 88
    assert trove_rules.RULES - set(names) == trove_rules.CLUSTERS
    ours = set(names) - trove_rules.RULES
    assert {name for name in ours if not name.startswith(("mgmt:", "operation:"))} == {
        "admin_or_member",
        "instance:guest_log_action",
        "instance:ssl_action",
        "instance:ssl_show",
    }


def test_a_policy_file_changes_a_rule(world: World, tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({"instance:create": "rule:admin"}))
    policy.Policy(world.conf)
    world.conf.set_override("policy_file", str(file), "oslo_policy")
    rules = policy.Policy(world.conf)
    owner = ("u1", "p1", frozenset({"member"}), False)
    assert not rules.allows("instance:create", *owner)
    assert rules.allows("instance:delete", *owner)
