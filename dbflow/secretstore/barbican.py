# SPDX-License-Identifier: Apache-2.0
"""Barbican, asked with the user's own token: so it decides who may read what."""

import re
from http import HTTPStatus

import requests
from oslo_config import cfg

from dbflow.secretstore.base import LARGEST, NoSuchSecret, SecretError, SecretStore, StoreUnavailable

_REFERENCE = re.compile(r"https?://[^/\s]+(?:/[\w.-]+)*/v1/(secrets|containers)/([0-9a-fA-F-]{36})/?")
_TIMEOUT = 15.0
_PAYLOADS = ("application/octet-stream", "text/plain")
_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class BarbicanSecrets(SecretStore):
    """At ``[secret_store] barbican_endpoint``, whatever host a reference names: the user's token goes nowhere else."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        options = conf.secret_store
        if not options.barbican_endpoint:
            raise SecretError("[secret_store] barbican_endpoint is not set.")
        self._endpoint = options.barbican_endpoint.rstrip("/")
        self._verify: str | bool = options.barbican_cafile or True

    def read(self, reference: str, project_id: str, token: str) -> bytes:
        """See the base class: the payload of a secret, or of the only secret of a container."""
        kind, secret_id = _parsed(reference)
        if kind == "containers":
            references = _held(self._ask(f"containers/{secret_id}", token, "application/json"))
            if len(references) != 1:
                raise SecretError("the container must hold one secret, the PKCS#12 data.")
            kind, secret_id = _parsed(references[0])
        data: bytes = self._ask(f"secrets/{secret_id}/payload", token, *_PAYLOADS).content
        if len(data) > LARGEST:
            raise SecretError(f"it has more than {LARGEST} bytes.")
        return data

    def _ask(self, path: str, token: str, *accept: str) -> requests.Response:
        """Once for each kind of content, until it is one that the secret is of."""
        status = 0
        for kind in accept:
            try:
                answer = requests.get(
                    f"{self._endpoint}/v1/{path}",
                    headers={"X-Auth-Token": token, "Accept": kind},
                    timeout=_TIMEOUT,
                    verify=self._verify,
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                raise StoreUnavailable(f"Barbican does not answer ({type(error).__name__}).") from None
            status = answer.status_code
            if status == HTTPStatus.OK:
                return answer
            if status != HTTPStatus.NOT_ACCEPTABLE:
                break
        raise _refusal(status)


def _held(answer: requests.Response) -> list[str]:
    """References of a container's secrets."""
    try:
        return [str(one["secret_ref"]) for one in answer.json().get("secret_refs") or []]
    except (ValueError, AttributeError, KeyError, TypeError):
        raise StoreUnavailable("Barbican's answer is not what it should be.") from None


def _parsed(reference: str) -> tuple[str, str]:
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise SecretError("it must be the URL of a secret or of a container in Barbican.")
    return found[1], found[2]


def _refusal(status: int) -> SecretError:
    if status == HTTPStatus.NOT_FOUND:
        return NoSuchSecret("Barbican has no such secret.")
    if status in _REFUSED:
        return NoSuchSecret("Barbican does not let you read it.")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return StoreUnavailable(f"Barbican answered with status {status}.")
    return SecretError(f"Barbican answered with status {status}.")
