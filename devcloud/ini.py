# SPDX-License-Identifier: Apache-2.0
"""Configuration files of OpenStack's services, and the sections that all of them have."""

from collections.abc import Mapping

from devcloud.settings import LOOPBACK, PASSWORD, REGION, Settings

Section = Mapping[str, object]
Ini = Mapping[str, Section]

QUIET = (
    "amqp amqplib sqlalchemy iso8601 requests.packages.urllib3.connectionpool urllib3.connectionpool websocket "
    "keystonemiddleware routes.middleware stevedore keystoneauth oslo_policy"
)


def render(ini: Ini) -> str:
    """The file's text; True and False are written as OpenStack's examples do."""
    parts = []
    for name, section in ini.items():
        parts.append(f"[{name}]\n" + "".join(f"{key} = {_text(value)}\n" for key, value in section.items()))
    return "\n".join(parts)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def common(settings: Settings) -> Section:
    """Options of [DEFAULT]: everything is logged to standard error."""
    levels = [f"{name}=WARN" for name in QUIET.split()] + ["oslo_messaging=INFO", "oslo.cache=INFO"]
    return {
        "log_dir": "",
        "use_stderr": True,
        "debug": settings.debug,
        "default_log_levels": ",".join(levels),
    }


def client(settings: Settings, user: str) -> Section:
    """How a service that is a user of the project ``service`` logs in at Keystone."""
    return {
        "auth_type": "password",
        "auth_url": settings.auth_url,
        "project_domain_name": "Default",
        "user_domain_name": "Default",
        "project_name": "service",
        "username": user,
        "password": PASSWORD,
        "region_name": REGION,
    }


def authtoken(settings: Settings, user: str) -> Section:
    """keystonemiddleware's options."""
    return {
        **client(settings, user),
        "www_authenticate_uri": settings.auth_url,
        "memcached_servers": f"{LOOPBACK}:{settings.port('memcached')}",
        "token_cache_time": 60,
        "service_token_roles_required": True,
    }


def database(settings: Settings, name: str) -> Section:
    """oslo.db's options."""
    return {
        "connection": settings.database(name),
        "max_pool_size": 10,
        "max_overflow": 40,
        "connection_recycle_time": 600,
    }


def shared(settings: Settings) -> Ini:
    """Sections of every service that uses oslo.messaging and lock files. Notifications exist in full mode only."""
    return {
        "oslo_messaging_notifications": {"driver": "messagingv2" if settings.full else "noop"},
        "oslo_concurrency": {"lock_path": settings.run / "lock"},
    }
