# SPDX-License-Identifier: Apache-2.0
"""[keystone_authtoken], for commands: the API's middleware reads it by itself."""

from typing import Any

from keystoneauth1 import loading
from keystoneauth1.plugin import BaseAuthPlugin
from keystoneauth1.session import Session
from oslo_config import cfg

from dbflow.api import keystone

_GROUP = "keystone_authtoken"
_PATIENCE = 10.0


def load(conf: cfg.ConfigOpts) -> tuple[Any, BaseAuthPlugin | None]:
    """The group with all its options, and the login that it says; None where it says none. Raises keystoneauth's
    ClientException when that makes no sense."""
    keystone.register(conf)
    loading.register_auth_conf_options(conf, _GROUP)
    login = loading.load_auth_from_conf_options(conf, _GROUP)
    return conf[_GROUP], login


def session(group: Any, login: BaseAuthPlugin) -> Session:
    """That waits ten seconds for Keystone."""
    verify = not group.insecure and (group.cafile or True)
    return Session(login, verify=verify, timeout=_PATIENCE)
