# SPDX-License-Identifier: Apache-2.0
"""Messages between the control plane and the guests; see :class:`dbflow.messaging.dispatcher.Dispatcher`."""
