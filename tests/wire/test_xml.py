# SPDX-License-Identifier: Apache-2.0
"""An instance's life in XML, as clients of the old days spoke: on the socket, with a database server behind it."""

from typing import Any
from xml.etree import ElementTree

import pytest
import requests

from dbflow.api.schemas import accounts, datastores, instances, operations
from dbflow.api.schemas.common import Schema
from dbflow.api.xml.read import read
from tests.functional.stack import Client, EmbeddedStack, new_password, operation_of
from tests.wire.conftest import Shop

XML = "application/xml"
SPACE = "http://docs.openstack.org/database/api/v1.0"
HEADERS = {"Accept": XML, "Content-Type": XML}


def send(client: Client, method: str, path: str, document: str | None = None) -> requests.Response:
    """Both ways in XML."""
    data = None if document is None else document.encode()
    headers = client.headers | HEADERS
    return requests.request(method, f"{client.endpoint}{path}", data=data, headers=headers, timeout=60)


def empty(answer: requests.Response, status: int) -> None:
    """Accepted, with nothing to say."""
    assert (answer.status_code, answer.content) == (status, b""), answer.text
    assert answer.headers["Content-Type"] == "application/xml; charset=utf-8"


def root(answer: requests.Response, status: int = 200) -> ElementTree.Element:
    """Of a document in the namespace of the API."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/xml; charset=utf-8"), (
        answer.text
    )
    found = ElementTree.fromstring(answer.content)
    assert found.tag.startswith(f"{{{SPACE}}}")
    return found


def test_create_show_and_delete(server: EmbeddedStack, member: Client) -> None:
    document = f"""<?xml version="1.0" encoding="UTF-8"?>
<instance xmlns="{SPACE}" name="xml-1" flavorRef="1">
  <volume size="1"/>
  <datastore type="mariadb" version="10.11"/>
</instance>"""
    with server.faults.holding("create-server.execute.called"):
        answer = send(member, "POST", "/instances", document)
        made = root(answer)
        assert (made.get("name"), made.get("status")) == ("xml-1", "BUILD")
        path = f"/instances/{made.get('id')}"
        told, shown = read(answer.content, instances.INSTANCE)["instance"], member.ask("GET", path)["instance"]
        assert _at_once(told) == _at_once(shown)
        busy = root(send(member, "POST", f"{path}/action", "<restart/>"), 422)
        assert busy.tag == f"{{{SPACE}}}unprocessableEntity"
        deleted = send(member, "DELETE", path)
        empty(deleted, 202)
    member.wait_operation(operation_of(deleted))
    assert root(send(member, "GET", path), 404).get("code") == "404"


def _at_once(shown: dict[str, Any]) -> dict[str, Any]:
    """What is known of an instance before anything of it is made."""
    made = ("ip", "addresses", "updated", "service_status_updated")
    return {key: value for key, value in shown.items() if key not in made}


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/flavors", datastores.FLAVORS),
        ("/datastores", datastores.DATASTORES),
        ("/datastores/mariadb/versions", datastores.VERSIONS),
        ("/operations", operations.LIST),
        ("{shop}", instances.INSTANCE),
        ("{shop}/databases", accounts.DATABASES_SEEN),
        ("{shop}/users", accounts.USERS_SEEN),
        ("{shop}/root", accounts.ROOT_ENABLED),
    ],
)
def test_the_same_as_in_json(member: Client, shop: Shop, path: str, schema: Schema) -> None:
    asked = path.format(shop=shop.path)
    answer = send(member, "GET", asked)
    root(answer)
    assert _lasting(read(answer.content, schema)) == _lasting(member.ask("GET", asked))


def _lasting(data: Any) -> Any:
    """What two heartbeats do not change."""
    if isinstance(data, dict):
        passing = ("service_status_updated", "used", "used_percent")
        return {key: _lasting(value) for key, value in data.items() if key not in passing}
    return [_lasting(one) for one in data] if isinstance(data, list) else data


def test_accounts_reach_the_database(member: Client, shop: Shop) -> None:
    password = new_password("<&\"'>")
    escaped = password.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    empty(send(member, "POST", f"{shop.path}/databases", '<databases><database name="xmldb"/></databases>'), 202)
    user = f'<user name="xml" host="%" password="{escaped}"><databases><database name="xmldb"/></databases></user>'
    empty(send(member, "POST", f"{shop.path}/users", f"<users>{user}</users>"), 202)
    assert ("xmldb",) in shop.ask("SHOW DATABASES", "xml", password)
    empty(send(member, "PUT", f"{shop.path}/users/xml/databases", "<databases><item name='shop'/></databases>"), 202)
    assert ("shop",) in shop.ask("SHOW DATABASES", "xml", password)
    again = root(send(member, "POST", f"{shop.path}/databases", '<databases><database name="xmldb"/></databases>'), 400)
    assert again.get("message") == 'A database with the name "xmldb" already exists.'
    empty(send(member, "DELETE", f"{shop.path}/users/xml"), 202)
    empty(send(member, "DELETE", f"{shop.path}/databases/xmldb"), 202)


def test_bombs_and_bad_types(member: Client) -> None:
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE a [<!ENTITY a0 "ha">{laughs}]><instance name="&a9;"/>'
    assert "not allowed" in (root(send(member, "POST", "/instances", bomb), 400).get("message") or "")
    foreign = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><instance><name>&a;</name></instance>'
    assert "root:" not in send(member, "POST", "/instances", foreign).text
    deep = root(send(member, "POST", "/instances", "<a>" * 100_000), 400)
    assert "too deep" in (deep.get("message") or "")
    headers = member.headers | {"Accept": "text/html"}
    answer = requests.get(f"{member.endpoint}/instances", headers=headers, timeout=30)
    assert (answer.status_code, set(answer.json())) == (406, {"notAcceptable"})
    headers = member.headers | {"Accept": XML, "Content-Type": "text/xml"}
    answer = requests.post(f"{member.endpoint}/instances", data=b"<instance/>", headers=headers, timeout=30)
    assert root(answer, 415).tag == f"{{{SPACE}}}badMediaType"
    answer = requests.get(f"{member.endpoint}/instances", headers=HEADERS | {"X-Auth-Token": "guessed"}, timeout=30)
    assert root(answer, 401).tag == f"{{{SPACE}}}unauthorized"
