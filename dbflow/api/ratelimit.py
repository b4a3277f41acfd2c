# SPDX-License-Identifier: Apache-2.0
"""How much a user may ask a minute, by verb; and an address that shows no valid token."""

import datetime
import logging
import time
from typing import Any

from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter
from oslo_config import cfg

from dbflow.api.counters import ProcessStorage
from dbflow.services.errors import OverLimit

LOG = logging.getLogger(__name__)

_VERBS = {"GET": "get", "HEAD": "get", "POST": "post", "PUT": "put", "PATCH": "put", "DELETE": "delete"}


def _refusal(limit: RateLimitItemPerMinute, retry_after: int) -> OverLimit:
    return OverLimit(
        "This request was rate-limited.",
        {"Retry-After": str(retry_after)},
        {"details": f"Only {limit.amount} requests can be made every minute.", "retryAfter": retry_after},
    )


class RateLimits:
    """Counters of a minute, in memory or in a storage that the workers share."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        group = conf.api
        own = group.rate_storage == "process://"
        self._limiter = FixedWindowRateLimiter(ProcessStorage() if own else storage_from_string(group.rate_storage))
        self._verbs = {
            verb: RateLimitItemPerMinute(group[f"http_{verb}_rate"]) for verb in ("get", "post", "put", "delete")
        }
        self._mgmt = RateLimitItemPerMinute(group.http_mgmt_post_rate)
        self._unknown = RateLimitItemPerMinute(group.unauthenticated_rate)

    def user(self, user_id: str, method: str, mgmt: bool) -> None:
        """Count a user's request; OverLimit when it is one too many."""
        verb = _VERBS.get(method)
        if verb is None:
            return
        self._hit(self._verbs[verb], "user", verb, user_id)
        if mgmt and verb == "post":
            self._hit(self._mgmt, "user", "mgmt", user_id)

    def unauthenticated(self, address: str) -> None:
        """Count a request without a valid token."""
        self._hit(self._unknown, "address", address)

    def _hit(self, limit: RateLimitItemPerMinute, *key: str) -> None:
        try:
            if self._limiter.hit(limit, *key):
                return
            reset = self._limiter.get_window_stats(limit, *key).reset_time
        except Exception as error:  # the storage's own client's errors: rather serve than refuse everyone
            LOG.warning("rate limits can't be counted: %s", type(error).__name__)
            return
        raise _refusal(limit, max(1, round(reset - time.time())))

    def show(self, user_id: str) -> list[dict[str, Any]]:
        """What a user has left, as GET /limits tells it."""
        shown = [self._one(verb.upper(), "*", ".*", limit, verb, user_id) for verb, limit in self._verbs.items()]
        return [*shown, self._one("POST", "*/mgmt", "^/mgmt", self._mgmt, "mgmt", user_id)]

    def _one(
        self, verb: str, uri: str, regex: str, limit: RateLimitItemPerMinute, key: str, user_id: str
    ) -> dict[str, Any]:
        stats = self._limiter.get_window_stats(limit, "user", key, user_id)
        until = datetime.datetime.fromtimestamp(max(stats.reset_time, time.time()), datetime.UTC)
        return {
            "verb": verb,
            "uri": uri,
            "regex": regex,
            "value": limit.amount,
            "unit": "MINUTE",
            "remaining": stats.remaining,
            "nextAvailable": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
