# SPDX-License-Identifier: Apache-2.0
"""Servers: Linux namespaces of this machine that boot an image as a virtual machine would.

==============  =====================================================================================================
root disk       overlayfs: the Glance image (a squashfs) below, the server's own layer above. An image that is no
                squashfs boots nothing: such a server has a network and an API's life, which most tests need.
first process   systemd, with the image's own cloud-init, on a configuration drive
network         a namespace for each Neutron network with a bridge, one for each server, a veth pair for each port
volumes         Cinder's file on a loop device, as /dev/vdb and so on
console         what the console would have shown, in console.log
==============  =====================================================================================================

Their processes are root's on this kernel, less a few rights, and have no limit of memory: for trusted code only.
"""
