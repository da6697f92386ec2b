#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every way onto a device: `load` and the operator's own ip and tc commands, `attach` and `detach`, generic mode; and that
# somebody else's program is left alone.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

bring_up() {
	local host
	make_network b1 b2
	for host in b1 b2; do
		open_tunnel "$host" "$vip4" "$vip6"
		start_nginx "$host" 80
	done
	configure <<-END
		pools:
		  - { name: web, times: $quick, backends: [{ address: $(address4 b1) }, { address: "$(address6 b2)" }] }
		vips:
		  - { name: www, addresses: [$vip4, "$vip6"], services: [80/tcp], pool: web }
	END
}

program() { attached | sed -n 's/.*prog\/xdp id \([0-9]*\).*/\1/p'; }
in_balancer() { ip -n "$tag-balancer" "$@"; }
tailrace_attach() { on balancer "$tailrace" attach eth0 -i "$tag" "$@"; }
tailrace_detach() { on balancer "$tailrace" detach eth0 -i "$tag"; }
mode() { status | json "[a['mode'] for a in s['attached']]"; }

# The client's packets arrive at both backends, over both families.
serves() {
	served_by "b1 b2" 40 "$vip4"
	served_by "b1 b2" 40 "$vip6"
}

# Other programs (the size of their cache is compiled into them) come in the place of these while requests go on.
replaced_under_traffic() {
	sed -i 's/ring_words: [0-9]*/&, cache: 8192/' "$config"
	program > "$tmp/program"
	fetch 1500 "http://$vip4/" > "$tmp/fetched" &
	fetch 1500 "http://[$vip6]/" > "$tmp/fetched6" &
	"$@"
	wait
	refuses equal "$(cat "$tmp/program")" "$(program)"
	equal "b1 b2" "$(answered_by < "$tmp/fetched")"
	equal "b1 b2" "$(answered_by < "$tmp/fetched6")"
	equal 3000 "$(cat "$tmp/fetched" "$tmp/fetched6" | wc -l)"
}

test_by_ip() {
	ok "load" on balancer "$tailrace" load -c "$config"
	ok "load attaches nothing" refuses attached
	ok "ip link set xdp pinned" on balancer ip link set dev eth0 xdp pinned "$pins/$tag/entry"
	ok "ip link set xdp pinned: traffic" serves
	ok "load replaces the program that ip attached" replaced_under_traffic on balancer "$tailrace" load -c "$config"
	program > "$tmp/program"
	ok "run takes that attachment as it is" start_controller
	ok "it is the same program" equal "$(cat "$tmp/program")" "$(program)"
	ok "traffic" serves
	stop_controller
	ok "detach takes off what ip put there" tailrace_detach
	ok "detached" refuses attached
	ok "no traffic" not_served "$vip4"
}

test_modes() {
	ok "attach" tailrace_attach
	ok "attach: native" equal "['native']" "$(mode)"
	ok "attach: traffic" serves
	ok "attach again changes nothing" tailrace_attach
	ok "detach" tailrace_detach
	ok "attach --mode generic" tailrace_attach --mode generic
	ok "generic: status says so" equal "['generic']" "$(mode)"
	ok "generic: traffic" serves
	ok "generic: detach" tailrace_detach
	ok "attach --mode auto is native here" tailrace_attach --mode auto
	ok "auto: status says so" equal "['native']" "$(mode)"
	ok "auto: traffic" serves
	ok "no such device" refused "eth7.*no such" on balancer "$tailrace" attach eth7 -i "$tag"
	ok "no such instance" refused "nosuch" on balancer "$tailrace" attach eth0 -i nosuch
	ok "no such mode" refused "mode 'fast'" tailrace_attach --mode fast
	tailrace_detach 2> /dev/null
}

test_others_program() {
	in_balancer link set dev eth0 xdp obj "$top/build/testenv/xdp_pass.bpf.o" sec xdp
	program > "$tmp/program"
	ok "somebody else's program: attach names it" refused "eth0.*xdp_pass" tailrace_attach
	ok "somebody else's program: run names it" refused "eth0.*xdp_pass" on balancer timeout 20 "$tailrace" run -c "$config"
	ok "somebody else's program: detach does not touch it" refused "not attached" tailrace_detach
	ok "somebody else's program: it is still there" equal "$(cat "$tmp/program")" "$(program)"
	in_balancer link set dev eth0 xdp off
	ok "it is gone: run attaches" start_controller
	ok "it is gone: traffic" serves
	ok "a program that is pinned by a link cannot be taken off by ip" refuses ip -n "$tag-balancer" link set dev eth0 xdp off
	stop_controller
}

# The other side: a backend whose tunnels tc opens, attached by the operator's own command.
test_tc_backend() {
	on b1 "$tailrace" decap eth0 --pin "$pins/$tag-b1" --detach > /dev/null
	ok "a backend without its tunnel does not answer" equal "- b2" \
		"$(fetch 20 http://$vip4/ --connect-timeout 1 | answered_by)"
	ok "decap --load-only" on b1 "$tailrace" decap eth0 --pin "$pins/$tag-b1" --load-only --vip "$vip4" "$vip6"
	on b1 tc qdisc add dev eth0 clsact
	ok "tc filter add bpf da pinned" on b1 tc filter add dev eth0 ingress bpf da pinned "$pins/$tag-b1/tc"
	ok "tc: traffic" serves
}

begin attach
bring_up
test_by_ip
test_modes
test_others_program
test_tc_backend
ok "no packet under another verdict" no_bad_verdicts
done_testing
