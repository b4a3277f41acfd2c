# SPDX-License-Identifier: Apache-2.0
"""The cloud's administrator, as a client of its APIs."""

from typing import Any

import requests

from devcloud.settings import PASSWORD, Settings

Body = dict[str, Any]
CONFLICT, SERVER_ERROR = 409, 500
TIMEOUT = 60.0
"""Seconds for an answer."""
LOGINS = 6
"""Tries: the first request of all is the slowest, and a busy machine may lose it."""


class Admin:
    """Logged in at Keystone."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy leads to this cloud
        domain: Body = {"id": "default"}
        user: Body = {"name": "admin", "domain": domain, "password": PASSWORD}
        identity: Body = {"methods": ["password"], "password": {"user": user}}
        scope: Body = {"project": {"name": "admin", "domain": domain}}
        answer = self._log_in({"auth": {"identity": identity, "scope": scope}})
        self._session.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]
        self.project: str = answer.json()["token"]["project"]["id"]

    def _log_in(self, wanted: Body) -> requests.Response:
        for left in reversed(range(LOGINS)):
            try:
                answer = self._session.post(self._settings.auth_url + "/auth/tokens", json=wanted, timeout=TIMEOUT / 3)
            except requests.Timeout:
                if not left:
                    raise
            else:
                break
        answer.raise_for_status()
        return answer

    def get(self, service: str, path: str) -> Any:
        """The decoded answer; None when there is none to give yet (5xx). requests.HTTPError on a refusal."""
        answer = self._session.get(self._settings.url(service, path), timeout=TIMEOUT)
        if answer.status_code >= SERVER_ERROR:
            return None
        answer.raise_for_status()
        return answer.json()

    def send(self, method: str, service: str, path: str, body: Body | None = None) -> Any:
        """The decoded answer; None when what is to be made is there (409). requests.HTTPError on a refusal."""
        answer = self._session.request(method, self._settings.url(service, path), json=body, timeout=TIMEOUT)
        if answer.status_code == CONFLICT:
            return None
        answer.raise_for_status()
        return answer.json() if answer.content else None
