# SPDX-License-Identifier: Apache-2.0
"""keystonemiddleware, told apart: a token that is not good, and a Keystone that can't be asked."""

import contextvars
from typing import Any

from keystoneauth1.exceptions import ClientException, NotFound
from keystonemiddleware import auth_token
from oslo_config import cfg

from dbflow.api.auth import AWAY

_TIMEOUT, _RETRIES = 5, 1
"""Seconds for an answer of Keystone's, and how often it is asked again: the middleware's own would wait for ever."""
_missed: contextvars.ContextVar[bool] = contextvars.ContextVar("keystone_missed", default=False)
"""Whether Keystone could not be asked in this request."""


def register(conf: cfg.ConfigOpts) -> None:
    """The options of ``[keystone_authtoken]``, with an end to the patience with a Keystone that does not answer."""
    for group, options in auth_token.list_opts():
        conf.register_opts(options, group=group)
    conf.set_default("http_connect_timeout", _TIMEOUT, "keystone_authtoken")
    conf.set_default("http_request_max_retries", _RETRIES, "keystone_authtoken")


class Middleware(auth_token.AuthProtocol):
    """Notes in a request's environ, as AWAY, that Keystone could not say what its user's token is."""

    def process_request(self, request: Any) -> Any:
        """As the base class; open pages stay open for whoever sends a token."""
        _missed.set(False)
        answer = super().process_request(request)
        request.environ[AWAY] = bool(request.user_token) and not request.user_token_valid and _missed.get()
        return answer

    def fetch_token(self, token: str, **kwargs: Any) -> Any:
        """As the base class: InvalidToken."""
        try:
            return super().fetch_token(token, **kwargs)
        except auth_token.InvalidToken as error:
            # That it is none is what Keystone says with a 404; whatever else goes wrong comes as this, too, also that
            # dbflow's own token is refused.
            why = error.__context__
            _missed.set(why is not None and not isinstance(why, NotFound))
            raise
        except ClientException as error:
            # TLS, a catalog without Keystone: the middleware would let it end the request.
            _missed.set(True)
            raise auth_token.InvalidToken(f"Keystone can't be asked ({type(error).__name__}).") from None
