# SPDX-License-Identifier: Apache-2.0
"""The HTTP server of dbflow-standalone."""

import http.client
import socket
import threading

import flask

from dbflow.cmd.standalone import http_server
from tests.descriptors import beyond_select


def test_the_api_answers_however_many_files_are_open() -> None:
    app = flask.Flask("test")
    app.add_url_rule("/", view_func=lambda: "fine")
    listener = beyond_select(socket.create_server(("127.0.0.1", 0)))
    server = http_server(listener, app, 1000)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    asker = http.client.HTTPConnection(*listener.getsockname(), timeout=5)
    try:
        asker.request("GET", "/")
        assert asker.getresponse().read() == b"fine"
    finally:
        asker.close()
        server.close()
    thread.join(5)
    assert not thread.is_alive()
