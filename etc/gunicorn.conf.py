# SPDX-License-Identifier: Apache-2.0
"""For whoever runs gunicorn instead of dbflow-api: gunicorn --config etc/gunicorn.conf.py dbflow.wsgi:application

TLS is best ended in front (HAProxy, nginx). The settings are those of dbflow-api, from [api] and [metrics] of
/etc/dbflow/dbflow.conf; $DBFLOW_CONF names another. A line below changes one, such as ``max_requests = 10000``; threads
are changed in [api], since dbflow must know how many there are.
"""

from dbflow.cmd.api import settings as _settings
from dbflow.wsgi import configuration as _configuration

globals().update(_settings(_configuration()))
