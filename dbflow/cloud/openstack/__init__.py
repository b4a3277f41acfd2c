# SPDX-License-Identifier: Apache-2.0
"""OpenStack: each instance is a server, a volume, a port and a security group of dbflow's own project."""

from dbflow.cloud.openstack.driver import OpenStackCloud

__all__ = ["OpenStackCloud"]
