# SPDX-License-Identifier: Apache-2.0
"""Drivers of Cinder and Neutron; Nova's is ``devcloud.guests.driver``."""
