#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A `tailrace load` that is killed at any point, and the next one: the first load of an instance, the replacement of its
# programs under traffic, and changes of the configuration. kill_at.so ends the process after its N-th call of a kind.
# CRASH_PART: the replacements alone, of a program attached by a link or by ip: crash_link.sh and crash_ip.sh, so that they run beside this.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
shim=$top/build/testenv/kill_at.so

# The commands of bpf(2) after which something has changed that outlives the process; and the one between a replacement by
# netlink and the first rename.
update=2 delete=3 pin=6 get=7 link_update=29

bring_up() {
	local host
	make_network b1 b2
	for host in b1 b2; do
		open_tunnel "$host" 192.0.2.0/24
		start_echo "$host" 7 8
	done
	write_probe
	write_stream
}

# write_config CACHE < POOLS AND VIPS
write_config() {
	cat - > "$config.body"
	cat - "$config.body" > "$config" <<-END
		instance: $tag
		devices: [eth0]
		limits: { backends: 64, ring_words: 8192, cache: $1 }
	END
	rm "$config.body"
}

one_vip() {
	write_config "$1" <<-END
		pools:
		  - { name: web, times: $quick, ring_size: 251, backends: [{ address: $(address4 b1) }] }
		vips:
		  - { name: www, addresses: [$vip4], services: [7/udp], pool: web }
	END
}

# probe.py ADDRESS:PORT...: 20 datagrams to each; prints "ADDRESS:PORT BACKEND..." for those that answer.
write_probe() {
	cat > "$tmp/probe.py" <<-'END'
		import select, socket, sys

		sockets = {}
		for target in sys.argv[1:] * 20:
		    address, port = target.split(":")
		    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		    s.connect((address, int(port)))
		    s.send(b"probe ")
		    sockets[s] = target
		answers = {}
		while sockets and (ready := select.select(list(sockets), [], [], 0.15)[0]):
		    for s in ready:
		        answers.setdefault(sockets.pop(s), set()).add(s.recv(100).split()[-1].decode())
		for target in sorted(answers):
		    print(target, *sorted(answers[target]))
	END
}
answers() { on client python3 "$tmp/probe.py" "$@"; }
serves() { echoed_by b1 4 "$vip4" 7; }

# stream.py ADDRESS PORT END: a datagram every 4 ms until there is a file END; prints how many, and how many had no answer.
write_stream() {
	cat > "$tmp/stream.py" <<-'END'
		import os, select, socket, sys, time

		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.connect((sys.argv[1], int(sys.argv[2])))
		sent, missing, until = 0, set(), None
		while until is None or time.monotonic() < until:
		    if until is None:
		        missing.add(sent)
		        s.send(b"%d " % sent)
		        sent += 1
		        if os.path.exists(sys.argv[3]):
		            until = time.monotonic() + 0.5
		    if select.select([s], [], [], 0.004)[0]:
		        missing.discard(int(s.recv(100).split()[0]))
		        time.sleep(0.004)
		print("sent", sent, "lost", len(missing), sorted(missing)[:10])
	END
}
begin_stream() {
	rm -f "$tmp/end"
	spawn client "$tmp/stream.log" python3 "$tmp/stream.py" "$vip4" 7 "$tmp/end"
}
end_stream() {
	touch "$tmp/end"
	wait_until 10 test -s "$tmp/stream.log" || true
	cat "$tmp/stream.log"
	[ "$(awk '{ print $2 }' "$tmp/stream.log")" -ge 100 ]
	grep -q ' lost 0 ' "$tmp/stream.log"
}

load() { on balancer "$tailrace" load -c "$config" > "$tmp/load" 2>&1 || { cat "$tmp/load"; return 1; }; }
load_changes_nothing() {
	load
	grep 'nothing to change' "$tmp/load" || { cat "$tmp/load"; return 1; }
}
attach() { on balancer "$tailrace" attach eth0 -i "$tag"; }

# killed_load KIND N: a load that is killed after the N-th call of the kind. False: it has come to its end before.
killed_load() {
	local status=0 where=KILL_BPF=$1:$2
	[ "$1" != rename ] || where=KILL_RENAME=$2
	on balancer env LD_PRELOAD="$shim" "$where" "$tailrace" load -c "$config" > "$tmp/killed" 2>&1 || status=$?
	case $status in
	137) echo "killed after $1 $2" ;;
	0) return 1 ;;
	*) echo "load, to be killed after $1 $2, has failed:"; cat "$tmp/killed"; exit 1 ;;
	esac
}

# at_every_point LEAST FUNCTION KIND [STEP [FROM]]: FUNCTION KIND N with N from FROM (1), until it says by a false in
# $tmp/more that there are none.
at_every_point() {
	local n=${5:-1}
	echo true > "$tmp/more"
	"$2" "$3" "$n"
	while [ "$(< "$tmp/more")" = true ]; do
		n=$((n + ${4:-1}))
		"$2" "$3" "$n"
	done
	echo $((n - 1)) | tee "$tmp/points-$3"
	[ "$n" -gt "$1" ]
}

new_pins() { (cd "$pins/$tag" && echo *-new); }
attached_program() { attached | sed -n 's/.*prog\/xdp id \([0-9]*\).*/\1/p'; }
pinned_entry() { bpftool prog show pinned "$pins/$tag/entry" | sed -n '1s/:.*//p'; }
build() { bpftool map dump pinned "$pins/$tag/instance" | sed -n 's/.*"build": \([0-9]*\).*/\1/p'; }

# first_load KIND N: there was nothing, and the first load of all is killed.
first_load() {
	! [ -e "$pins/$tag" ] || on balancer "$tailrace" unload -i "$tag"
	killed_load "$@" || echo false > "$tmp/more"
	load
	load_changes_nothing
	equal '*-new' "$(new_pins)"
	attach
	serves
}

test_first_load() {
	local kind
	one_vip 4096
	for kind in "update 5" "pin 15" "rename 6"; do
		ok "the first load is killed after any ${kind% *}" \
			at_every_point "${kind#* }" first_load "$(kind_of "${kind% *}")"
	done
	ok "the first load is killed, and no other comes: unload" unloads_the_rest
}

kind_of() {
	case $1 in
	rename) echo rename ;;
	*) echo "${!1}" ;;
	esac
}

unloads_the_rest() {
	on balancer "$tailrace" unload -i "$tag"
	killed_load "$pin" 8
	on balancer "$tailrace" unload -i "$tag"
	refuses test -e "$pins/$tag"
}

# one_build WANTED: the programs are all of one load, and run: attached is what is pinned, traffic meets its stages.
one_build() {
	equal '*-new' "$(new_pins)"
	equal "$(pinned_entry)" "$(attached_program)"
	refuses equal 0 "$(build)"
	serves
}

other_cache() { if grep -q 'cache: 4096' "$config"; then echo 8192; else echo 4096; fi; }

# A program, or a slot of the stages, that lost its last reference is gone a moment (a grace period of RCU) later.
serves_still() {
	sleep 0.05
	serves
}

# replacement KIND N: killed, traffic goes on, and the next load ends it.
replacement() {
	one_vip "$(other_cache)"
	killed_load "$@" || echo false > "$tmp/more"
	serves_still
	load
	one_build
}

# replacement_back KIND N: the same, but the next load is of the build that there was before.
replacement_back() {
	local before
	before=$(build)
	one_vip "$(other_cache)"
	killed_load "$@" || echo false > "$tmp/more"
	one_vip "$(other_cache)"
	serves_still
	load
	one_build
	equal "$before" "$(build)"
}

# replacement_twice SWITCHED [back]: killed, and what would have ended it, or gone back, is killed, too. SWITCHED: the point
# behind the switch of the program.
replacement_twice() {
	local first second
	for first in "$pin 6" "$1" "rename 5"; do
		for second in "$pin 6" "$1" "rename 3"; do
			one_vip "$(other_cache)"
			# shellcheck disable=SC2086 # two words each
			killed_load $first || echo "not killed after $first"
			if [ "${2:-}" = back ]; then
				one_vip "$(other_cache)"
			fi
			# shellcheck disable=SC2086
			killed_load $second || echo "ended before $second"
			serves_still
			load
			one_build
		done
	done
}

# test_replacement WHOSE "KIND LEAST"...: programs attached as WHOSE says, killed at so many points of each kind at least.
test_replacement() {
	local whose=$1 kind from switched="$link_update 1"
	shift
	begin_stream
	for kind; do
		from=1
		[ "${kind% *}" != get ] || from=32	# those before only take over what is pinned
		ok "$whose: a replacement is killed after any ${kind% *}" \
			at_every_point "${kind#* }" replacement "$(kind_of "${kind% *}")" 1 "$from"
		ok "$whose: a replacement is killed after any ${kind% *}, then the old build again" \
			at_every_point "${kind#* }" replacement_back "$(kind_of "${kind% *}")" 1 "$from"
	done
	# The last pin that is opened is that of the old stages.
	[ "$whose" != ip ] || switched="$get $(< "$tmp/points-$get")"
	ok "$whose: killed twice" replacement_twice "$switched"
	ok "$whose: killed twice, the second time on the way back" replacement_twice "$switched" back
	ok "$whose: a stream has gone through all that without a loss" end_stream
	ok "$whose: no packet under another verdict" no_bad_verdicts
}

# Two states of the configuration. From a to b: a pool and a VIP are removed and others added, a port moves, a backend comes.
# VIP www follows the ring at once; of moves, flows that are not known stay where they were until a controller has settled that.
state_a() {
	write_config 4096 <<-END
		pools:
		  - { name: web, times: $quick, ring_size: 251, backends: [{ address: $(address4 b1) }] }
		  - { name: old, times: $quick, ring_size: 251, backends: [{ address: $(address4 b2) }] }
		vips:
		  - { name: www, addresses: [$vip4], services: [7/udp], pool: web, mode: hash }
		  - { name: moves, addresses: [192.0.2.2], services: [7/udp], pool: web }
		  - { name: old, addresses: [192.0.2.3, 192.0.2.64/28], services: [7/udp, 8/udp], pool: old }
	END
	cat > "$tmp/answers" <<-END
		192.0.2.1:7 b1
		192.0.2.2:7 b1
		192.0.2.3:7 b2
		192.0.2.65:8 b2
	END
	echo "moves 7/udp; old 7/udp 8/udp; www 7/udp | old 1; web 1" > "$tmp/status"
}
state_b() {
	write_config 4096 <<-END
		pools:
		  - name: web
		    times: $quick
		    ring_size: 251
		    backends: [{ address: $(address4 b1) }, { address: $(address4 b2) }]
		  - { name: new, times: $quick, ring_size: 257, backends: [{ address: $(address4 b2) }] }
		vips:
		  - { name: www, addresses: [$vip4], services: [7/udp], pool: web, mode: hash }
		  - { name: moves, addresses: [192.0.2.2], services: [8/udp], pool: web }
		  - { name: new, addresses: [192.0.2.4, 192.0.2.128/28], services: [all/udp], pool: new }
	END
	cat > "$tmp/answers" <<-END
		192.0.2.129:8 b2
		192.0.2.1:7 b1 b2
		192.0.2.2:8 b1 b2
		192.0.2.4:7 b2
	END
	echo "moves 8/udp; new all/udp; www 7/udp | new 1; web 2" > "$tmp/status"
}
all_targets=(192.0.2.{1,2}:{7,8} 192.0.2.{3,4}:7 192.0.2.{65,129}:8)

# The state that was asked for is what status and stats say, what answers, and what is counted as nobody's: two of the
# targets' addresses are none of either state, 20 datagrams go to each. unsettled: flows of moves may be where they were.
state_holds() {
	local of_moves=
	[ "${1:-}" != unsettled ] || of_moves='/^192\.0\.2\.2:/s/ b1 b2$/ b1/'
	stats > "$tmp/stats-before"
	equal "$(sed "$of_moves" "$tmp/answers")" "$(answers "${all_targets[@]}" | sed "$of_moves")"
	stats > "$tmp/stats-after"
	status > "$tmp/status-now"
	python3 - "$tmp" <<-'END'
		import json, sys

		def read(name):
		    return json.load(open(f"{sys.argv[1]}/{name}"))

		s, before, after = read("status-now"), read("stats-before"), read("stats-after")
		wanted = open(f"{sys.argv[1]}/status").read().strip()
		vips = sorted(f"{v['name']} {' '.join(v['services'])}" for v in s["vips"])
		pools = sorted(f"{p['name']} {sum(b['state'] != 'leaving' for b in p['backends'])}"
		    for p in s["pools"] if not p["leaving"])
		got = "; ".join(vips) + " | " + "; ".join(pools)
		assert got == wanted, f"status: {got}, wanted {wanted}"
		assert sorted(v["name"] for v in s["vips"]) == sorted(v["name"] for v in after["vips"]), after["vips"]
		nobodys = after["verdicts"]["not_vip"] - before["verdicts"].get("not_vip", 0)
		assert nobodys >= 40, f"{nobodys} packets not_vip"
	END
}

# change KIND N: there and back again, killed on either way.
change() {
	local state more=false
	for state in b a; do
		"state_$state"
		! killed_load "$@" || more=true
		equal "$vip4:7 b1" "$(answers "$vip4:7" | sed 's/ b1 b2$/ b1/')"
		load
		state_holds unsettled
		load_changes_nothing
	done
	echo "$more" > "$tmp/more"
}

# A controller settles what loads have left; nothing of the state before is there any more.
settles() {
	"state_$1"
	load
	start_controller
	wait_settled
	state_holds
	wait_until 30 nothing_leaves
	stop_controller
	load_changes_nothing
	state_holds
}
nothing_leaves() {
	equal False "$(status | json "any([p['leaving'] for p in s['pools']] +
		[b['state'] == 'leaving' for p in s['pools'] for b in p['backends']])")"
}

test_changes() {
	state_a
	ok "a configuration with more in it" load
	ok "its state" state_holds
	ok "a change is killed after any update" at_every_point 4 change $update 2
	ok "a change is killed after any delete" at_every_point 2 change $delete
	ok "a controller settles what they have left" settles b
	ok "and the way back" settles a
	ok "no packet under another verdict" equal "" "$(bad_verdicts | grep -v ^no_service)"
}

begin "crash${CRASH_PART:-}"
bring_up
[ -n "${CRASH_PART:-}" ] || test_first_load
one_vip 4096
ok "load" load
case ${CRASH_PART:-} in
link)
	ok "attach" attach
	test_replacement link "update 2" "pin 11" "link_update 1" "rename 11"
	;;
ip)
	on balancer ip link set dev eth0 xdp pinned "$pins/$tag/entry"
	test_replacement ip "get 34" "rename 11"
	;;
*)
	ok "attach" attach
	test_changes
	;;
esac
done_testing
