#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Write etc/dbflow/dbflow.conf.sample and policy.yaml.sample anew, from the options and rules in the code.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
enter_repo
use_environment
oslo-config-generator --config-file etc/oslo-config-generator.conf
oslopolicy-sample-generator --config-file etc/oslo-policy-generator.conf
