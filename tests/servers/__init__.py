# SPDX-License-Identifier: Apache-2.0
"""Real servers for tests and benchmarks: own ports on loopback, own directories, stopped by pid."""

from tests.servers.mariadb import MariaDBServer
from tests.servers.process import Server, ServerError
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.swift import Swift
from tests.servers.zookeeper import ZooKeeper

__all__ = ["MariaDBServer", "RabbitMQ", "Server", "ServerError", "Swift", "ZooKeeper"]
