# SPDX-License-Identifier: Apache-2.0
"""ZooKeeper, RabbitMQ and SQL are taken away under load."""
