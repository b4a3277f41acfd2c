# SPDX-License-Identifier: Apache-2.0
"""For whoever runs gunicorn instead of dbflow-api: gunicorn --config etc/gunicorn.conf.py dbflow.wsgi:application

TLS is best ended in front (HAProxy, nginx). dbflow itself reads /etc/dbflow/dbflow.conf; $DBFLOW_CONF names another.
"""

from dbflow.cmd.workers import child_exit, on_exit, on_starting, when_ready  # noqa: F401 - metrics, systemd

bind = ["127.0.0.1:8779"]  # and, where it is set, that of [metrics] api_port
workers = 4
worker_class = "gthread"  # an event stream holds a thread while it lasts
threads = 16
graceful_timeout = 5
proc_name = "dbflow-api"
