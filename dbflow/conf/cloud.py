# SPDX-License-Identifier: Apache-2.0
"""Which cloud the databases run on."""

from oslo_config import cfg

GROUP = cfg.OptGroup("cloud", title="The cloud")
OPTS = [
    cfg.StrOpt("driver", default="local", help="Name of an entry point of group dbflow.clouds: local or openstack."),
]
