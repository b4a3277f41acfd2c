# SPDX-License-Identifier: Apache-2.0
"""A user's password for a token of one project."""

import contextlib
import dataclasses
import logging

from keystoneauth1 import exceptions
from keystoneauth1 import session as sessions
from keystoneauth1.access import AccessInfo
from keystoneauth1.identity import v3
from oslo_config import cfg

from dbflow.services.errors import Unavailable

LOG = logging.getLogger(__name__)
_PATIENCE = 10.0
_REFUSED = (exceptions.Unauthorized, exceptions.Forbidden, exceptions.NotFound, exceptions.BadRequest)


class Refused(Exception):
    """Keystone does not know this user, password or project."""


@dataclasses.dataclass(frozen=True)
class Login:
    """What the form asks for."""

    user: str
    password: str = dataclasses.field(repr=False)
    user_domain: str
    project: str
    project_domain: str


class Keystone:
    """The Keystone that ``[console] auth_url`` names."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf

    def sign_in(self, login: Login) -> AccessInfo:
        """The new token and who it is. Refused; Unavailable when Keystone does not answer."""
        password = v3.Password(
            self._url(),
            username=login.user,
            password=login.password,
            user_domain_name=login.user_domain,
            project_name=login.project,
            project_domain_name=login.project_domain,
            include_catalog=False,
        )
        try:
            return password.get_access(self._session())
        except _REFUSED:
            raise Refused from None
        except exceptions.ClientException as error:
            LOG.error("Keystone does not answer: %s", type(error).__name__)
            raise Unavailable("Keystone does not answer.", {"Retry-After": "5"}) from None

    def sign_out(self, token: str) -> None:
        """Let Keystone forget a token; a token that it does not forget ends by itself."""
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        with contextlib.suppress(exceptions.ClientException):
            self._session().delete(f"{self._url()}/auth/tokens", headers=headers, authenticated=False, log=False)

    def _url(self) -> str:
        url: str | None = self._conf.console.auth_url or self._conf.keystone_authtoken.www_authenticate_uri
        if not url:
            raise Unavailable("Neither [console] auth_url nor [keystone_authtoken] www_authenticate_uri is set.")
        url = url.rstrip("/")
        return url if url.endswith("/v3") else f"{url}/v3"

    def _session(self) -> sessions.Session:
        group = self._conf.keystone_authtoken
        return sessions.Session(verify=not group.insecure and (group.cafile or True), timeout=_PATIENCE)
