# SPDX-License-Identifier: Apache-2.0
"""Signed URLs of the file store, in the way of Swift's temporary URLs: one signature is good for one method, one
prefix and some time."""

import hashlib
import hmac
import time
from urllib.parse import parse_qs, urlencode


def sign(key: bytes, method: str, prefix: str, expires: int) -> str:
    """The query of URLs of objects whose path begins with ``prefix`` (``/container/begin/of/name/``), good until
    ``expires`` (seconds since 1970)."""
    return urlencode({"prefix": prefix, "expires": expires, "signature": _signature(key, method, prefix, expires)})


def allows(key: bytes, method: str, path: str, query: str) -> bool:
    """Whether the query is the right to do that with the object at ``path``."""
    try:
        given = parse_qs(query, max_num_fields=8)
        (prefix,), (expires,), (signature,) = given["prefix"], given["expires"], given["signature"]
        until = int(expires)
    except (KeyError, ValueError):
        return False
    right = hmac.compare_digest(_signature(key, method, prefix, until).encode(), signature.encode())
    return right and prefix.endswith("/") and path.startswith(prefix) and time.time() < until


def _signature(key: bytes, method: str, prefix: str, expires: int) -> str:
    return hmac.new(key, f"{method}\n{expires}\n{prefix}".encode(), hashlib.sha256).hexdigest()
