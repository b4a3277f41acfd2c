# SPDX-License-Identifier: Apache-2.0
"""Certificates of database servers."""

from oslo_config import cfg

GROUP = cfg.OptGroup("tls", title="Certificates of database servers")
OPTS = [
    cfg.IntOpt(
        "certificate_days", default=365, min=1, help="Days for which a certificate that dbflow issues is valid."
    ),
    cfg.FloatOpt(
        "renew_before_days", default=30.0, min=0, help="Days before its end at which a certificate is renewed."
    ),
    cfg.IntOpt("authority_days", default=3650, min=2, help="Days for which the authority of a project is valid."),
    cfg.FloatOpt(
        "overlap_days",
        default=14.0,
        min=0,
        help="Days for which a new authority is only made known, before it issues certificates: the time that clients "
        "have to get it. What the old one has issued is good until then.",
    ),
    cfg.FloatOpt(
        "check_interval",
        default=300.0,
        min=0,
        help="Seconds between two looks for certificates that are to be renewed. 0: none are.",
    ),
]
