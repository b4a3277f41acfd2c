# SPDX-License-Identifier: Apache-2.0
"""The console."""

from oslo_config import cfg

GROUP = cfg.OptGroup("console", title="Console")
OPTS = [
    cfg.StrOpt(
        "auth_url",
        help="Keystone's URL (v3) for the sign-in with user and password; [keystone_authtoken] www_authenticate_uri "
        "when unset.",
    ),
    cfg.IntOpt("session_lifetime", default=8 * 3600, min=60, help="Seconds after which one has to sign in again."),
    cfg.IntOpt("ticket_lifetime", default=600, min=10, help="Seconds for which a one-time link is good."),
    cfg.IntOpt("page_size", default=50, min=1, max=500, help="Rows on a page of a table."),
    cfg.FloatOpt("interval", default=0.5, min=0.02, help="Seconds between two looks at what open pages show."),
    cfg.FloatOpt(
        "stream_lifetime",
        default=600.0,
        min=1.0,
        help="Seconds after which a live page connects anew, so that a token that is no longer good is noticed.",
    ),
]
