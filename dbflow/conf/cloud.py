# SPDX-License-Identifier: Apache-2.0
"""Which cloud the databases run on."""

from oslo_config import cfg

GROUP = cfg.OptGroup("cloud", title="The cloud")
OPTS = [
    cfg.StrOpt("driver", default="local", help="Name of an entry point of group dbflow.clouds: local or openstack."),
    cfg.IntOpt(
        "transient_retries",
        default=6,
        min=0,
        help="How often what the cloud has failed to make, for want of something that may be back soon, is asked for "
        "anew, 15 seconds apart: after an outage Nova and Cinder find no host for a minute, and say the same when they "
        "are full.",
    ),
]
