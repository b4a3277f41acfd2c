# SPDX-License-Identifier: Apache-2.0
"""The console as the services serve it, on both sets of parts; what it looks like is tested with a browser."""

import requests

from tests.functional.stack import Stack
from tests.functional.stack.client import PATIENCE, Client


def signed_in(client: Client) -> tuple[requests.Session, str]:
    """A browser of a sort, and the console's address."""
    base = f"{client.endpoint.partition('/v1.0')[0]}/console"
    browser = requests.Session()
    answer = browser.post(f"{base}/signin", {"token": client._token}, timeout=PATIENCE, allow_redirects=False)
    assert answer.status_code == 303, answer.text
    assert client._token not in str(answer.headers)
    return browser, base


def test_pages_and_streams(stack: Stack) -> None:
    client = stack.client()
    user, base = signed_in(client)
    admin, _ = signed_in(stack.admin())
    with stack.nothing_left():
        with stack.faults.holding("create-server.execute.called") as held:
            instance_id, create = client.create("looked-at")
            held.reached()
            for path in ("jobs", "conductors", "guests"):
                assert user.get(f"{base}/{path}", timeout=PATIENCE).status_code == 403
                assert admin.get(f"{base}/{path}", timeout=PATIENCE).status_code == 200
            assert create in admin.get(f"{base}/jobs", timeout=PATIENCE).text
            page = user.get(f"{base}/operations/{create}", timeout=PATIENCE)
            assert 'data-node="create-server" data-state="RUNNING"' in page.text
            accept = {"Accept": "text/event-stream"}
            stream = user.get(f"{base}/operations/{create}", headers=accept, stream=True, timeout=PATIENCE)
        with stream:
            assert any(
                b'data-node=\\"create-server\\" data-state=\\"SUCCESS\\"' in line for line in stream.iter_lines()
            )
        client.wait_operation(create)
        client.deleted(instance_id)
