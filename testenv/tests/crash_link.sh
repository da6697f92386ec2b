#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Replacements of a program attached by a link that are killed: see crash.sh.
set -euo pipefail
CRASH_PART="link" exec "$(dirname "$0")/crash.sh"
