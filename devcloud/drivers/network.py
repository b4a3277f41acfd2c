# SPDX-License-Identifier: Apache-2.0
"""ML2 mechanism driver: every port is bound, and so ACTIVE, at once; Nova's driver does the wiring."""

from typing import Any

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class Mechanism(api.MechanismDriver):
    """Needs no agent."""

    def initialize(self) -> None:
        """Nothing to do."""

    @property
    def connectivity(self) -> str:
        return str(portbindings.CONNECTIVITY_L2)

    def bind_port(self, context: Any) -> None:
        details = {portbindings.CAP_PORT_FILTER: True, portbindings.VIF_DETAILS_CONNECTIVITY: self.connectivity}
        segment = context.segments_to_bind[0]
        context.set_binding(segment[api.ID], "bridge", details, status=constants.PORT_STATUS_ACTIVE)

    def check_vlan_transparency(self, context: Any) -> bool:
        return True
