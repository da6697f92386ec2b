#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What the metrics address serves: what Prometheus can read, and the numbers of the traffic that there was.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
promtool=$top/build/unpacked/prometheus/usr/bin/promtool

bring_up() {
	local host
	make_network b1 b2
	for host in b1 b2; do
		open_tunnel "$host" "$vip4" "$vip6"
		start_nginx "$host" 80
		start_echo "$host" 7
	done
	configure <<-END
		pools:
		  - { name: web, times: $quick, backends: [{ address: $(address4 b1) }, { address: "$(address6 b2)", weight: 300 }] }
		vips:
		  - { name: www, addresses: [$vip4, "$vip6"], services: [80/tcp], pool: web }
		  - { name: echo, addresses: [$vip4, "$vip6"], services: [7/udp], pool: web }
	END
	start_controller
}

# value NAME LABEL...: the sum of the metric's samples that have all these labels.
value() {
	metrics | python3 -c '
import re, sys
total = 0
for line in sys.stdin:
    if line.startswith("#"):
        continue
    name, labels, value = re.match(r"(\w+)(\{.*\})? (.*)", line).groups()
    if name == sys.argv[1] and all(label in (labels or "") for label in sys.argv[2:]):
        total += float(value)
print(int(total))' "$@"
}

reloads_are() { equal "$1" "$(value tailrace_reloads_total 'result="applied"')"; }

# Thirty connections from eight addresses, as fast as they are answered, for four seconds.
start_flood() {
	on balancer python3 - > /dev/null 2>&1 <<-'END' &
		import selectors, socket, time
		end, request, sel = time.time() + 4, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 30, selectors.DefaultSelector()
		for n in range(30):
		    s = socket.create_connection(("127.0.0.1", 9564), source_address=("127.0.0.%d" % (2 + n % 8), 0))
		    s.setblocking(False)
		    sel.register(s, selectors.EVENT_READ | selectors.EVENT_WRITE)
		while time.time() < end:
		    for key, events in sel.select(0.1):
		        try:
		            if events & selectors.EVENT_READ: key.fileobj.recv(1 << 20)
		            if events & selectors.EVENT_WRITE: key.fileobj.send(request)
		        except BlockingIOError:
		            pass
	END
	sleep 0.5
}

# By the log, which is written without the server of the metrics.
reloads_in_a_flood() {
	local before
	before=$(grep -c ': applied$' "$tmp/controller.log")
	kill -HUP "$(controller_pid)"
	wait_until 5 more_reloads_than "$before"
}

more_reloads_than() { [ "$(grep -c ': applied$' "$tmp/controller.log")" -gt "$1" ]; }

linted() { metrics | "$promtool" check metrics; }

begin metrics
bring_up
fetch 50 http://$vip4/ > /dev/null
fetch 30 "http://[$vip6]/" > /dev/null
echoes 70 "$vip4" 7 > /dev/null

ok "promtool check metrics" linted
ok "content type" [ "$(on balancer curl -s -o /dev/null -w '%{content_type}' http://127.0.0.1:9564/metrics | cut -d ';' -f 1)" = text/plain ]
ok "another path: 404" equal 404 "$(on balancer curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9564/nothing)"
ok "new flows of a VIP" equal 80 "$(value tailrace_vip_new_flows_total 'vip="www"')"
ok "packets of a VIP" equal 70 "$(value tailrace_vip_packets_total 'vip="echo"')"
ok "bytes of a VIP" equal "$(stats | json "[v['bytes'] for v in s['vips'] if v['name'] == 'www'][0]")" "$(value tailrace_vip_bytes_total 'vip="www"')"
ok "new flows of backends" equal 80 "$(value tailrace_backend_new_flows_total)"
ok "packets of backends" equal "$(stats | json "sum(v['packets'] for v in s['vips'])")" "$(value tailrace_backend_packets_total)"
ok "forwarded" equal "$(verdict forwarded)" "$(value tailrace_packets_total 'verdict="forwarded"')"
ok "forwarded, and the packets of VIPs" equal "$(verdict forwarded)" "$(value tailrace_vip_packets_total)"
ok "build info" equal 1 "$(value tailrace_build_info)"
kill -HUP "$(controller_pid)"
ok "a reload is counted" wait_until 5 reloads_are 2
ok "after a reload" linted
start_flood
ok "a reload in a flood of scrapes" reloads_in_a_flood
done_testing
