# SPDX-License-Identifier: Apache-2.0
"""What joins servers' networks and the host: connections, and security groups."""
