# SPDX-License-Identifier: Apache-2.0
"""The services of an OpenStack, through openstacksdk: one connection a process, and plain JSON in and out."""

import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import openstack
import requests
from keystoneauth1 import exceptions as keystone
from keystoneauth1 import loading
from openstack import exceptions as sdk
from oslo_config import cfg

from dbflow import faults
from dbflow.cloud import base
from dbflow.cloud.openstack.errors import Passing, of_response

Json = dict[str, Any]
"""An object of a service's, as its API reference describes it."""
Query = Mapping[str, Any]
"""Several values of a name as a list."""
_GROUP = "openstack"
_WRONG = (
    keystone.OptionError,
    keystone.NoMatchingPlugin,
    keystone.MissingAuthPlugin,
    keystone.UnsupportedParameters,
)
"""What is wrong with the configuration."""
_BUSY = (keystone.RequestTimeout, keystone.Conflict, keystone.TooManyRequests)
"""Of the answers of 4xx to a login those that pass."""
_NEW_PASSWORD = 30.0
"""Seconds until a login that was good once, and is refused, is tried again: an account may be locked for tries."""


class Client:
    """Connects when it is first asked. Safe for threads. Tokens are renewed when they expire."""

    def __init__(self, conf: cfg.ConfigOpts, timeout: float) -> None:
        """``timeout``: seconds that a service has to answer."""
        self._conf, self._timeout = conf, timeout
        self._lock = threading.Lock()
        self._connection: openstack.connection.Connection | None = None
        self._known = False
        """Whether a login was ever good."""
        self.compute = Service(self, "compute", "compute")
        self.block_storage = Service(self, "block_storage", "block storage")
        self.network = Service(self, "network", "network")
        self.image = Service(self, "image", "image")
        self.dns = Service(self, "dns", "DNS")

    def project_id(self) -> str:
        """Of the project that owns what dbflow makes. CloudError."""
        return str(self.reached("identity", self.connection().session.get_project_id))

    def connection(self) -> openstack.connection.Connection:
        """Made once."""
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()
            return self._connection

    def _connect(self) -> openstack.connection.Connection:
        options = self._conf[_GROUP]
        common = {
            "region_name": options.region_name,
            "interface": options.interface,
            # A service that does not answer when it is first needed is no service without versions.
            "strict_proxies": True,
            "app_name": "dbflow",
        }
        if options.cloud:
            try:
                return openstack.connect(options.cloud, api_timeout=self._timeout, **common)
            except sdk.ConfigException as error:
                raise base.CloudError(f"[openstack] cloud: {error}") from error
        auth = loading.load_auth_from_conf_options(self._conf, _GROUP)
        if auth is None:
            raise base.CloudError("[openstack] cloud or auth_type must be set for [cloud] driver = openstack")
        session = loading.load_session_from_conf_options(self._conf, _GROUP, auth=auth, timeout=self._timeout)
        return openstack.connection.Connection(session=session, **common)

    def proxy(self, name: str) -> Any:
        """openstacksdk's of a service."""
        connection = self.connection()
        try:
            return getattr(connection, name)
        except sdk.NotSupported as error:
            # A service that is away tells no versions; only the catalog says that there is none.
            if connection.endpoint_for(name.replace("_", "-")) is None:
                raise
            raise sdk.ServiceDiscoveryException(str(error)) from error

    def reached(self, service: str, call: Callable[[], Any]) -> Any:
        """What the call returns, where no answer comes back as CloudError."""
        try:
            answer = self._by_the_newest_catalog(call)
        except _WRONG as error:
            raise base.CloudError(f"[openstack] does not say how to log in: {error}") from error
        except (keystone.CatalogException, sdk.NotSupported) as error:
            raise base.CloudError(f"The cloud has no {service} service that dbflow can use") from error
        except (keystone.ClientException, sdk.SDKException, requests.RequestException) as error:
            if isinstance(error, keystone.HTTPClientError) and not isinstance(error, _BUSY):
                raise self._refused(error) from error
            raise Passing(f"The cloud's {service} service does not answer ({type(error).__name__})") from error
        except OSError as error:
            raise base.CloudError("[openstack] cafile, certfile or keyfile can't be read") from error
        self._known = True
        return answer

    def forget_token(self) -> None:
        """Log in anew for the next request."""
        self.connection().session.invalidate()

    def _by_the_newest_catalog(self, call: Callable[[], Any]) -> Any:
        """A catalog is as old as the token: a service that it has not may be new."""
        try:
            return call()
        except (keystone.CatalogException, sdk.NotSupported):
            self.forget_token()
            return call()

    def _refused(self, error: Exception) -> base.CloudError:
        """What was good once has a new password, or is locked, and operations that are under way wait for it."""
        text = f"The cloud does not accept dbflow's login ({type(error).__name__})"
        return Passing(text, _NEW_PASSWORD) if self._known else base.CloudError(text)


class Service:
    """One of them."""

    def __init__(self, client: Client, proxy: str, name: str) -> None:
        """``proxy``: as openstacksdk calls it; ``name``: as errors do."""
        self._client, self._proxy, self._name = client, proxy, name

    def forget_token(self) -> None:
        """See Client."""
        self._client.forget_token()

    def get(self, resource: str, path: str, query: Query | None = None, *, version: str | None = None) -> Json:
        """What is at ``path``. ``resource`` names it in errors."""
        return self.ask("GET", resource, path, version=version, params=query)

    def post(self, resource: str, path: str, body: Mapping[str, Any], *, version: str | None = None) -> Json:
        return self.ask("POST", resource, path, version=version, json=body)

    def put(self, resource: str, path: str, body: Mapping[str, Any]) -> Json:
        return self.ask("PUT", resource, path, json=body)

    def delete(self, resource: str, path: str, query: Query | None = None, *, version: str | None = None) -> None:
        """Fine when it is gone."""
        try:
            self.ask("DELETE", resource, path, version=version, params=query)
        except base.NotFound:
            return

    def list(
        self, resource: str, path: str, key: str, query: Query | None = None, *, version: str | None = None
    ) -> Iterator[Json]:
        """All of a collection, page by page; ``key`` is what holds them in an answer."""
        while True:
            page = self.ask("GET", resource, path, version=version, params=query)
            yield from page[key]
            following = _next(page, key)
            if following is None:
                return
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(following).query)

    def ask(self, method: str, resource: str, path: str, *, version: str | None = None, **kwargs: Any) -> Json:
        """The answer's body, empty where it has none. CloudError.

        ``version`` is the microversion whose shapes are meant; that of the first release when not given.
        """
        # Told also when it is none: clouds.yaml may name another, whose shapes are not those that are meant.
        options = {**kwargs, "microversion": version}

        def send() -> requests.Response:
            proxy = self._client.proxy(self._proxy)
            response: requests.Response = proxy.request(path, method, raise_exc=False, **options)
            return response

        response = self._client.reached(self._name, send)
        if response.status_code == 401:
            # keystoneauth has asked for another token and tried again, but not where another thread had just thrown
            # away the one that was refused.
            response = self._client.reached(self._name, send)
        if response.status_code >= 400:
            raise of_response(resource, response)
        if method != "GET":
            faults.within(lost=Passing)
        elif not response.content:
            raise Passing(f"The cloud's {self._name} service gives an empty answer")
        return _body(self._name, response)


def _body(service: str, response: requests.Response) -> Json:
    if not response.content:
        return {}
    try:
        body = response.json()
    except ValueError as error:
        # Nova's 202 of actions is text/html on some releases.
        if response.status_code == 202:
            return {}
        raise Passing(f"The cloud's {service} service gives an answer that is no JSON") from error
    return body if isinstance(body, dict) else {}


def _next(page: Json, key: str) -> str | None:
    """URL of the following page: Nova, Cinder and Neutron have links, Glance a path, Designate a "links" object."""
    if page.get("next"):
        return str(page["next"])
    links = page.get(f"{key}_links") or page.get("links") or []
    if isinstance(links, dict):
        return links.get("next")
    return next((link["href"] for link in links if link.get("rel") == "next"), None)
