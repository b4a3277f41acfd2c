# SPDX-License-Identifier: Apache-2.0
"""What configuration groups may set, and administrators who change that."""

from typing import Any

import pytest

from tests.unit.api.configurations import make
from tests.unit.api.world import World

pytestmark = pytest.mark.usefixtures("impatient")


def test_parameters(world: World) -> None:
    by_name = world.ask("GET", "datastores/mariadb/versions/10.11/parameters").json
    assert by_name == world.ask("GET", f"datastores/versions/{world.version_id}/parameters").json
    assert len(by_name["configuration-parameters"]) >= 100
    one = {
        "name": "max_connections",
        "datastore_version_id": world.version_id,
        "restart_required": False,
        "type": "integer",
        "max": 100000,
        "min": 10,
    }
    assert one in by_name["configuration-parameters"]
    for path in ("datastores/mariadb/versions/10.11", f"datastores/versions/{world.version_id}"):
        assert world.ask("GET", f"{path}/parameters/max_connections").json == one
        assert world.ask("GET", f"{path}/parameters/no_such_parameter").status_code == 404
    switch = world.ask("GET", "datastores/mariadb/versions/10.11/parameters/autocommit").json
    assert not switch.keys() & {"max", "min"}


def test_administrators_change_what_there_is(world: World) -> None:
    path = f"mgmt/datastores/versions/{world.version_id}/parameters"

    def ask(method: str, tail: str = "", **wanted: Any) -> Any:
        json = {"configuration-parameter": wanted} if wanted else None
        return world.ask(method, f"{path}{tail}", "admin", json=json)

    assert world.ask("GET", path).status_code == 401
    new = {"name": "my_parameter", "restart_required": 1, "data_type": "integer", "max_size": 9, "min_size": 3}
    shown = {
        "name": "my_parameter",
        "datastore_version_id": world.version_id,
        "restart_required": True,
        "type": "integer",
        "max_size": 9,
        "min_size": 3,
        "deleted": False,
        "deleted_at": None,
    }
    answer = ask("POST", **new)
    assert (answer.status_code, answer.json) == (200, shown)
    assert ask("POST", **new).status_code == 400
    assert ask("GET", "/my_parameter").json == shown
    assert shown in ask("GET").json["configuration-parameters"]
    assert make(world, values={"my_parameter": 10}).status_code == 422
    changed = ask("PUT", "/my_parameter", restart_required=0, data_type="integer", max_size="10")
    assert changed.json == {name: value for name, value in shown.items() if name != "min_size"} | {
        "restart_required": False,
        "max_size": 10,
    }
    assert make(world, values={"my_parameter": 10}).status_code == 200
    answer = ask("DELETE", "/my_parameter")
    assert (answer.status_code, answer.data) == (204, b"")
    assert ask("GET", "/my_parameter").json["deleted"] is True
    assert world.ask("GET", f"datastores/versions/{world.version_id}/parameters/my_parameter").status_code == 404
    assert make(world, values={"my_parameter": 10}).status_code == 422
    assert ask("DELETE", "/my_parameter").status_code == 404
    assert ask("POST", **new).status_code == 200
    for wrong in ({"data_type": "text"}, {"name": "A b"}, {"restart_required": 2}, {"max_size": "x"}, {"min_size": 10}):
        assert ask("POST", **new | {"name": "another"} | wrong).status_code == 400
    assert ask("POST", **new | {"name": "another", "data_type": "string"}).status_code == 400


def test_words_stay_when_an_administrator_changes_their_parameter(world: World) -> None:
    path = f"mgmt/datastores/versions/{world.version_id}/parameters/default_storage_engine"
    wanted = {"configuration-parameter": {"restart_required": 1, "data_type": "string"}}
    assert world.ask("PUT", path, "admin", json=wanted).status_code == 200
    assert make(world, values={"default_storage_engine": "BlackHole"}).status_code == 422
    assert make(world, values={"default_storage_engine": "InnoDB"}).status_code == 200


@pytest.mark.parametrize("name", ["skip_grant_tables", "plugin_load_add", "log_bin", "general_log_file", "port"])
def test_nobody_offers_what_is_dbflows_own(world: World, name: str) -> None:
    wanted = {"name": name, "restart_required": 1, "data_type": "string"}
    path = f"mgmt/datastores/versions/{world.version_id}/parameters"
    answer = world.ask("POST", path, "admin", json={"configuration-parameter": wanted})
    assert (answer.status_code, "dbflow's own" in answer.text) == (400, True)
