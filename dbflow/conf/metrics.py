# SPDX-License-Identifier: Apache-2.0
"""Figures for Prometheus."""

from oslo_config import cfg

GROUP = cfg.OptGroup("metrics", title="Figures for Prometheus")
OPTS = [
    cfg.HostAddressOpt(
        "bind_host",
        default="127.0.0.1",
        help="Address that figures are served on. Whoever reaches it may read them: they tell how much is going on, "
        "not whose it is.",
    ),
    cfg.PortOpt(
        "api_port",
        help="Port on which dbflow-api answers /metrics and nothing else, for all its workers together; unset, none.",
    ),
    cfg.PortOpt(
        "conductor_port",
        help="Port on which a conductor answers /metrics; unset, none. Several conductors of one machine need "
        "one each. dbflow-standalone has all its figures there.",
    ),
]
