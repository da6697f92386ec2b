#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What holds for every file: shellcheck finds nothing in scripts, and the licence stands at the top.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

files() { find "$top" \( -path "$top/build" -o -path "$top/.git" \) -prune -o -type f -print; }

without_licence() {
	files | grep -vE '/(LICENSE|\.gitignore|\.clang-format)$|/bpf/test/corpus/.*\.(pcap|hex)$' | while read -r file; do
		head -n 3 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-only' || echo "$file"
	done
}

scripts() {
	files | while read -r file; do
		! head -n 1 "$file" | grep -qaE '^#!/bin/(ba)?sh|^# shellcheck shell=' || echo "$file"
	done
}

begin lint
ok "every file has its licence" equal "" "$(without_licence)"
mapfile -t all < <(scripts)
ok "there are scripts" [ ${#all[@]} -ge 10 ]
ok "shellcheck" shellcheck "${all[@]}"
done_testing
