#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Each change by itself under connections and UDP flows that last: which of them go on, where new ones go, and what status and
# metrics say meanwhile; the controller killed in the middle of a change, and a change by `tailrace load`.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

# What the configuration says, changed between the tests; and which backends have flows that are held.
web=(b1 b2)
pool=web mode=changes ring=4099 key=00112233445566778899aabbccddeeff
settle=2 syn=1 drain=60
declare -A weight=() state=()
held="b1 b2"

write_config() {
	local host
	{
		cat <<-END
			hash_key: $key
			pools:
			  - { name: spare, times: $(times 60), ring_size: 257, backends: [{ address: $(address4 b3) }] }
			  - name: web
			    ring_size: $ring
			    times: $(times "$drain")
			    backends:
		END
		for host in "${web[@]}"; do
			echo "      - { address: $(address4 "$host"), weight: ${weight[$host]:-100}, state: ${state[$host]:-up} }"
		done
		cat <<-END
			vips:
			  - { name: www, addresses: [$vip4], services: [80/tcp, 7/udp], pool: $pool, mode: $mode }
		END
	} | configure
}
times() { echo "{ settle: $settle, udp: 2, syn: $syn, record: $((settle + 2)), linger: 1, drain: $1 }"; }

bring_up() {
	local host
	make_network b1 b2 b3
	for host in b1 b2 b3; do
		open_tunnel "$host" "$vip4"
		start_nginx "$host" 80
		start_echo "$host" 7
	done
	write_config
	start_controller
	write_holder
	spawn client "$tmp/holder.log" python3 "$tmp/holder.py" "$vip4" "$tmp/holder"
	wait_until 10 test -S "$tmp/holder"
}

# holder.py VIP SOCKET: holds connections to nginx and UDP flows to the echo; each asks some times a second who serves it. What
# comes to SOCKET is "open N", N of each; "check", when all have answered once more, prints "BACKEND..." of those that go on, then
# lines "broken BACKEND WHY" for those that do not, which are forgotten; or "close".
write_holder() {
	cat > "$tmp/holder.py" <<-'END'
		import asyncio, os, sys

		address, path = sys.argv[1:]
		held = []

		class Flow:
		    def __init__(self, talk):
		        self.backend, self.answers, self.broken = None, 0, None
		        self.task = asyncio.create_task(self.go_on(talk))

		    async def go_on(self, talk):
		        try:
		            await talk(self)
		        except (OSError, EOFError, TimeoutError, asyncio.TimeoutError) as error:
		            self.broken = f"{talk.__name__} {error!r}"

		    async def answered(self, backend):
		        if self.backend not in (None, backend):
		            raise EOFError(f"moved to {backend}")
		        self.backend = backend
		        self.answers += 1
		        await asyncio.sleep(0.15)

		async def tcp(flow):
		    reader, writer = await asyncio.open_connection(address, 80)
		    try:
		        while True:
		            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 8)
		            await flow.answered((await asyncio.wait_for(reader.readline(), 8)).decode().strip())
		    finally:
		        writer.close()

		class Echo(asyncio.DatagramProtocol):
		    def __init__(self):
		        self.answers = asyncio.Queue()

		    def datagram_received(self, data, source):
		        self.answers.put_nowait(data)

		async def udp(flow):
		    transport, echo = await asyncio.get_running_loop().create_datagram_endpoint(Echo, remote_addr=(address, 7))
		    try:
		        while True:
		            transport.sendto(b"x ")
		            await flow.answered((await asyncio.wait_for(echo.answers.get(), 8)).split()[-1].decode())
		    finally:
		        transport.close()

		async def check():
		    before = [(flow, flow.answers) for flow in held]
		    while any(flow.answers == count and not flow.broken for flow, count in before):
		        await asyncio.sleep(0.05)
		    broken = [flow for flow in held if flow.broken]
		    for flow in broken:
		        held.remove(flow)
		    return "\n".join([" ".join(sorted({flow.backend for flow in held}))] +
		                     sorted(f"broken {flow.backend} {flow.broken}" for flow in broken))

		async def close():
		    for flow in held:
		        flow.task.cancel()
		    await asyncio.gather(*(flow.task for flow in held), return_exceptions=True)
		    held.clear()
		    return "closed"

		async def serve(reader, writer):
		    what, *count = (await reader.readline()).decode().split()
		    if what == "open":
		        held.extend(Flow(talk) for talk in (tcp, udp) for _ in range(int(*count)))
		    writer.write(f"{await (close() if what == 'close' else check())}\n".encode())
		    writer.close()

		async def main():
		    async with await asyncio.start_unix_server(serve, path) as server:
		        await server.serve_forever()

		asyncio.run(main())
	END
}

# hold open N|check|close
hold() {
	python3 - "$tmp/holder" "$*" <<-'END'
		import socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.settimeout(40)
		s.connect(sys.argv[1])
		s.sendall(sys.argv[2].encode() + b"\n")
		print(s.makefile().read(), end="")
	END
}

# hold_more "BACKENDS": that they serve, together with what is held already.
hold_more() { equal "$1" "$(hold open 24)"; }
# all_go_on "BACKENDS": everything that is held, on these.
all_go_on() { equal "$1" "$(hold check)"; }
# broken "BACKEND" "THE OTHERS": nothing else is.
broken() {
	hold check | tee "$tmp/held"
	equal "$2" "$(head -n 1 "$tmp/held")"
	equal "$1" "$(awk '$1 == "broken" { print $2 }' "$tmp/held" | sort -u | xargs)"
}

reload() {
	write_config
	: > "$tmp/controller.log"
	kill -HUP "$(controller_pid)"
	wait_until 10 grep -q applied "$tmp/controller.log"
	cat "$tmp/controller.log"
	grep -q 'yaml: applied' "$tmp/controller.log"
}

# look: at once, and in one go, since it passes. Then of what was seen: of_web EXPRESSION about p, pool web; of_backend HOST
# EXPRESSION about b, its backend there; of_vip MEMBER.
look() {
	see_status
	on balancer "$tailrace" status -i "$tag" > "$tmp/seen"
	metrics > "$tmp/seen.metrics"
}
see_status() { status > "$tmp/seen.json"; }
of_web() { json "[$1 for p in s['pools'] if p['name'] == 'web'][0]" < "$tmp/seen.json"; }
of_backend() { of_web "[$2 for b in p['backends'] if b['address'] == '$(address4 "$1")'][0]"; }
of_vip() { json "s['vips'][0]['$1']" < "$tmp/seen.json"; }
records() { json "[t['used'] for t in s['flow_records'] if t['tier'] == '$1'][0]" < "$tmp/seen.json"; }

# was_unsettled WHY: status and metrics told of unsettled buckets of both protocols.
was_unsettled() {
	equal True "$(of_web "p['affinity']['unsettled']['tcp'] > 0 < p['affinity']['unsettled']['udp']")"
	equal "$1" "$(of_web "p['affinity']['why']")"
	grep -E "^web +unsettled +[1-9][0-9]* tcp, [1-9][0-9]* udp .*$1" "$tmp/seen"
	equal 2 "$(grep -c '^tailrace_pool_unsettled_buckets{pool="web",protocol="[a-z]*"} [1-9]' "$tmp/seen.metrics")"
	grep '^tailrace_pool_unsettled_since_seconds{pool="web"} [1-9]' "$tmp/seen.metrics"
}

new_go_to() { served_by "$1" 40 "$vip4"; }
# new_to "BACKENDS": soon, since a change is prepared first.
new_to() { wait_until 20 new_go_to "$1" || new_go_to "$1"; }

# settles "BACKENDS": old flows go on before and after it; new ones are by these, UDP at its end.
settles() {
	new_to "$1"
	all_go_on "$held"
	wait_settled
	all_go_on "$held"
	new_go_to "$1"
	echoed_by "$1" 60 "$vip4" 7
	see_status
}

# changes WHY "BACKENDS" [HOST STATE]: of pool web; the host is in this state then.
changes() {
	reload
	look
	was_unsettled "$1"
	[ $# = 2 ] || equal "$4" "$(of_backend "$3" "b['state']")"
	settles "$2"
	[ $# = 2 ] || equal "$4" "$(of_backend "$3" "b['state']")"
}
ends_in_time() { equal True "$(of_backend "$1" "0 < b['seconds_left'] <= 60")"; }

test_backends() {
	web=(b1 b2 b3)
	ok "a backend is added" changes "$(address4 b3) added" "b1 b2 b3" b3 up
	held="b1 b2 b3"
	ok "more flows, on it too" hold_more "$held"
	weight[b1]=300
	ok "weights change" changes weights "b1 b2 b3"
	state[b3]=drain
	ok "a backend is drained" changes "$(address4 b3) draining" "b1 b2" b3 draining
	ok "status says for how long" ends_in_time b3
	state[b3]=up
	ok "it is put back" changes "$(address4 b3) up" "b1 b2 b3" b3 up
	web=(b1 b3)
	ok "a backend is removed" changes "$(address4 b2) removed" "b1 b3" b2 leaving
	ok "status says for how long" ends_in_time b2
	web=(b1 b2 b3)
	ok "it is added again" changes "$(address4 b2) added" "b1 b2 b3" b2 up
}

# moves "BACKENDS": the VIP, and status says so until it has settled.
moves() {
	reload
	look
	equal True "$(of_vip moving)"
	grep '^tailrace_vip_moving{vip="www"} 1' "$tmp/seen.metrics"
	settles "$1"
	equal "False $pool $mode $ring" "$(of_vip moving) $(of_vip pool) $(of_vip mode) $(of_web "p['ring_size']")"
}

# All new flows of a client are one backend's.
moves_to_client() {
	reload
	wait_until 20 one_serves
	all_go_on "$held"
	wait_settled
	all_go_on "$held"
	one_serves
	equal "$(fetch 40 "$(http_url "$vip4")/" | answered_by)" "$(echoes 60 "$vip4" 7 | answered_by)"
}
one_serves() { equal 1 "$(fetch 40 "$(http_url "$vip4")/" | answered_by | tr -d - | wc -w)"; }

test_moves() {
	pool=spare
	ok "the VIP gets another pool" moves b3
	pool=web
	ok "and the one before" moves "b1 b2 b3"
	ring=5003
	ok "another ring size" moves "b1 b2 b3"
	key=ffeeddccbbaa99887766554433221100
	ok "another hash key" moves "b1 b2 b3"
	mode=track
	ok "mode track" moves "b1 b2 b3"
	ok "all flows are recorded" tracks 96
	mode=client
	ok "mode client" moves_to_client
	mode=changes
	ok "mode changes" moves "b1 b2 b3"
}
tracks() {
	see_status
	[ "$(records tracked)" -ge "$1" ]
}

# killed_while COMMAND...: the controller, where a change is so far; it stays there until another one starts.
killed_while() {
	stop_controller KILL
	"$@"
	all_go_on "$held"
	sleep 1
	"$@"
	all_go_on "$held"
	start_controller
	all_go_on "$held"
}
# New flows go by the old ring still, and are recorded.
is_prepared() {
	see_status
	equal True "$(of_web "p['affinity']['unsettled']['tcp'] > 0 < p['affinity']['looking']['tcp']")"
	new_go_to "b1 b2 b3"
}
is_settling() {
	new_go_to "b1 b2"
	refuses settled
}
killed_in_prepare() {
	reload
	killed_while is_prepared
}
killed_in_settling() {
	reload
	new_to "b1 b2"
	killed_while is_settling
}
hurries() {
	reload
	settles "$1"
}

test_kills() {
	syn=10 settle=15 state[b3]=drain
	ok "the controller is killed while a change is prepared" killed_in_prepare
	syn=1
	ok "and while it settles" killed_in_settling
	settle=2
	ok "the one that is started goes on with it" hurries "b1 b2"
}

# Without a controller: load waits until the change is made, and the next controller settles it.
changes_by_load() {
	stop_controller
	write_config
	on balancer "$tailrace" load -c "$config" > "$tmp/load" 2>&1
	cat "$tmp/load"
	grep "a change is being prepared" "$tmp/load"
	new_go_to "b1 b2 b3"
	all_go_on "$held"
	refuses settled
	start_controller
	settles "b1 b2 b3"
}

goes_down() {
	reload
	look
	equal down "$(of_backend b1 "b['state']")"
	new_go_to "b2 b3"
	broken b1 "b2 b3"
	wait_settled
	all_go_on "b2 b3"
}

drains_until_deadline() {
	reload
	look
	equal draining "$(of_backend b2 "b['state']")"
	new_to b3
	wait_until 20 is_drained
	of_backend b2 "b['why_not']" | grep "time to drain is over"
	broken b2 b3
	wait_settled
	all_go_on b3
}
is_drained() {
	see_status
	equal drained "$(of_backend b2 "b['state']")"
}

test_ends() {
	state[b1]=down
	ok "state down: at once, and its flows are lost" goes_down
	drain=5 state[b2]=drain
	ok "a drain's deadline ends it, and its flows" drains_until_deadline
	ok "they all end" equal closed "$(hold close)"
	ok "then no record is left, and no bucket looks for one" wait_until 40 is_steady
}
is_steady() {
	settled
	see_status
	equal 0 "$(of_web "p['affinity']['looking']['tcp'] + p['affinity']['looking']['udp']")"
	equal "0 0 0" "$(records tcp) $(records syn) $(records udp)"
}

begin drain
bring_up
ok "connections and UDP flows on either backend" hold_more "$held"
ok "nothing is recorded of them" is_steady
test_backends
test_moves
test_kills
state[b3]=up
ok "a change by load" changes_by_load
test_ends
ok "no packet under another verdict" no_bad_verdicts
done_testing
