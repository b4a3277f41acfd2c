# SPDX-License-Identifier: Apache-2.0
"""Notifications. Where they go, and whether there are any, is oslo.messaging's: [oslo_messaging_notifications]."""

from oslo_config import cfg

GROUP = cfg.OptGroup("notifications", title="Notifications, of which [oslo_messaging_notifications] says where they go")
OPTS = [
    cfg.StrOpt(
        "host",
        sample_default="<this machine's name>",
        help="What stands behind the dot in the publisher's id; this machine's name when unset.",
    ),
    cfg.IntOpt(
        "exists_interval",
        default=3600,
        min=0,
        help="Seconds of the period for which each running instance is told to exist (trove.instance.exists); periods "
        "begin at multiples of it. 0: never.",
    ),
    cfg.IntOpt(
        "quota_interval",
        default=0,
        min=0,
        help="Seconds between two times that the quotas of each project are told, with what is in use (dbaas.quota); "
        "0: never.",
    ),
    cfg.IntOpt(
        "retention", default=7 * 86400, min=60, help="Seconds for which what can't be sent is kept; then it is dropped."
    ),
    cfg.IntOpt("most_kept", default=1_000_000, min=1, help="Notifications that wait at most; the oldest are dropped."),
    cfg.DictOpt(
        "service_ids",
        default={"mariadb": "7a4f82cc-10d2-4bc6-aadc-d9aacc2a3cb5", "mysql": "2f3ff068-2bfb-4f70-9a9d-a6bb65bc084b"},
        help="The service_id of usage notifications, by datastore manager.",
    ),
]
