# SPDX-License-Identifier: Apache-2.0
"""What went wrong at a service, as errors of a cloud whose words are fit for a user."""

import functools
import logging
import re
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import requests

from dbflow.cloud import base
from dbflow.waits import NotYet

LOG = logging.getLogger(__name__)
_P = ParamSpec("_P")
_R = TypeVar("_R")

_LONGEST = 60.0
"""Seconds that a service may ask to be left alone for."""
_SOON, _LATER = 2.0, 5.0
_FULL = re.compile(
    r"quota|no valid host|no valid backend|no weighed backends|any available weighted backend|no more ip addresses|"
    r"not enough|ip ?address ?generation ?fail|exceeds allowed",
    re.IGNORECASE,
)
_PASSES = re.compile(
    r"no valid host|no valid backend|no weighed backends|any available weighted backend|driver is not initialized|"
    # What a nova-compute met that could not reach Neutron, Cinder or Glance, and what is said when several did. Not
    # MessagingTimeout, which may be all that is known of a machine that runs.
    r"exceeded maximum number of retries|unable to establish connection|request to http\S+ timed out|\(HTTP 50\d\)|"
    r"connection to (cinder|glance) host|connection to neutron failed|cinder api version \S+ is not available|"
    r"failed to access port|failed to allocate the network\(s\), not|failure prepping block device|"
    r"50[234] (service unavailable|bad gateway|gateway time-?out)|connectfailure|connecttimeout|serviceunavailable",
    re.IGNORECASE,
)
"""What Nova and Cinder say when there is no host with room, and also when those that there are were silent for so long
that they count as down, or when what they need did not answer them."""
_TOTALS = re.compile(r"\s*\(\d+\)|[.:,]\s+Requested \S*\d.*$")
"""How much dbflow's project may have, and has: of all tenants together, and none's business."""
_ADDRESSES = re.compile(
    r"https?://[^\s,;)]*[^\s,;).:]|\(host=[^)]*\)?|(?<=connection to )\S+(?= timed out)|"
    r"(?<=failed to resolve )'[^']*'?|(?<=server on )'[^']*'?",
    re.IGNORECASE,
)
"""Where the cloud's services find each other, which is none's business but the operator's."""
_HOSTS = re.compile(rf"{_ADDRESSES.pattern}|\b\d{{1,3}}(?:\.\d{{1,3}}){{3}}\b", re.IGNORECASE)
"""The same and the cloud's machines, in what it says of its own work: no address there is one that a user has given."""
_OF_THE_WAY = {
    # Keystone has just given it: one that it made within the second of a revocation counts as revoked.
    401: "the cloud does not accept dbflow's token",
    404: "what stands between dbflow and the cloud finds no service (HTTP 404)",
}
_TAKEN = re.compile(r"\bin use\b|already (been )?allocated", re.IGNORECASE)


class Passing(base.Unavailable):
    """It may work ``after`` seconds from now."""

    def __init__(self, message: str, after: float = _SOON) -> None:
        super().__init__(message)
        self.after = after


def of_response(resource: str, response: requests.Response) -> base.CloudError:
    """What an answer of 4xx or 5xx means for ``resource``."""
    status, reason = response.status_code, _reason(response)
    full = _FULL.search(reason) is not None
    # Cinder says of a quota when to ask again, too: not before somebody has made room.
    if status == 429 or status >= 500 or (status == 413 and not full):
        text = f"{resource}: the cloud does not answer just now (HTTP {status})"
        return Passing(text, _pause(response))
    if status == 404 and _told(response):
        return base.NotFound(f"{resource} cannot be found. ({_fit(resource, reason)})")
    if status in _OF_THE_WAY:
        return Passing(f"{resource}: {_OF_THE_WAY[status]}", _LATER)
    if full:
        return of_reason(resource, reason)
    if status == 409 and not _TAKEN.search(reason):
        return Passing(f"{resource}: {_fit(resource, reason)}")
    return base.CloudError(f"{resource}: {_fit(resource, reason)}")


def of_reason(resource: str, reason: str) -> base.CloudError:
    """What a service says of something that it has failed to do."""
    if _FULL.search(reason):
        LOG.warning("%s: the cloud has no room: %s", resource, reason)
        kind: type[base.CloudError] = base.OutOfCapacity
        text = f"{resource}: the cloud has no room: {_fit(resource, _TOTALS.sub('', reason), _HOSTS)}"
    else:
        kind, text = base.CloudError, f"{resource}: {_fit(resource, reason, _HOSTS)}"
    return (base.Transient if _PASSES.search(reason) else kind)(text)


def patient(call: Callable[_P, _R]) -> Callable[_P, _R]:
    """For what steps of flows call: what passes is waited for, and not counted as a failure."""

    @functools.wraps(call)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return call(*args, **kwargs)
        except base.Unavailable as error:
            raise NotYet(str(error), after=getattr(error, "after", _LATER)) from error

    return wrapper


def _fit(resource: str, reason: str, unfit: re.Pattern[str] = _ADDRESSES) -> str:
    """For a user's eyes; what is not is in the log."""
    fit = unfit.sub("…", reason)
    if fit != reason:
        LOG.warning("%s: %s", resource, reason)
    return fit


def _pause(response: requests.Response) -> float:
    """As the service asks."""
    try:
        return min(max(float(response.headers["Retry-After"]), _SOON), _LONGEST)
    except (KeyError, ValueError):
        return _LATER


def _told(response: requests.Response) -> bool:
    """Whether a service itself says it: they all have JSON for what is not there, and proxies before them have not."""
    return "json" in response.headers.get("Content-Type", "")


def _reason(response: requests.Response) -> str:
    """Of an answer, in one line: {"badRequest": {"message"}}, {"NeutronError": {"message"}}, {"message"}, or HTML."""
    try:
        found = _message(response.json())
    except ValueError:
        found = None
    return " ".join((found or response.reason or f"HTTP {response.status_code}").split())[:500]


def _message(body: Any) -> str | None:
    if isinstance(body, dict):
        if isinstance(body.get("message"), str):
            return str(body["message"])
        for part in body.values():
            found = _message(part)
            if found:
                return found
    return None
