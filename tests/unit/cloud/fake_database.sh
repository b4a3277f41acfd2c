#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs until SIGTERM, and says that it ended in order; with a file "stubborn" beside its log it does not listen.
if [ -e "$1/stubborn" ]; then trap '' TERM; else trap 'echo clean >> "$1/stops"; exit 0' TERM; fi
echo up >> "$1/starts"
while :; do sleep 600 & wait $!; done
