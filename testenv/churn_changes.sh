# shellcheck shell=bash disable=SC2034,SC2154 # testenv/churn has the other half
# SPDX-License-Identifier: GPL-2.0-only
# The changes of the churn test. Sourced by testenv/churn.
#
# Pools a and b share backends, VIP `one` moves between them, `two` stays with a, `three` with c. Each change does one thing to
# the state below, says what in $did, and is false where the state does not allow it now. Servers b1 and b2 are pool a's
# alone and b8 is pool c's: those are taken down, so that it is known whose flows may break.

declare -A state=([b1]=up [b2]=up [b3]=up [b4]=up [b5]=up)	# pool a; no entry: not configured
declare -A weight=([b1]=100 [b2]=100 [b3]=100 [b4]=100 [b5]=100 [b6]=100)
ring=4093
pool_of_one=a
has_b=true
state_b8=up
key=9e1c6fb2d0473a85c3f15d28e97ab046
cache=4096
did=
b8_down_at=0
deadline=4

moving=false	# whether VIPs, rings and the hash key change, too

# A restart begins all settling anew, so the second of these has none: there, words settle under traffic.
with_restarts=(kill_hup kill_prepare kill_settle replace add remove drain undrain several weight)
without_restarts=(add remove drain undrain down down up up weight several several)
moves=(to_b to_b to_a to_a drop_b ring ring key add remove drain undrain down up weight several several kill_hup kill_prepare
	kill_settle replace)

# random N: $picked is 0 to N - 1. Not in a subshell: that would not go on.
random() { picked=$((RANDOM % $1)); }

# shuffle CHANGES...: $deck.
shuffle() {
	local i held
	deck=("$@")
	for ((i = ${#deck[@]} - 1; i > 0; i--)); do
		random $((i + 1))
		held=${deck[i]}
		deck[i]=${deck[picked]}
		deck[picked]=$held
	done
}

# of_state STATE HOSTS...: $host is one of those with it; false: none.
of_state() {
	local wanted=$1 found=() name
	shift
	for name; do
		[ "${state[$name]:-none}" != "$wanted" ] || found+=("$name")
	done
	[ ${#found[@]} -gt 0 ] || return 1
	random ${#found[@]}
	host=${found[picked]}
}

# Three backends that take new flows are left.
may_lose_one() {
	local name up=0
	for name in "${!state[@]}"; do
		[ "${state[$name]}" != up ] || up=$((up + 1))
	done
	[ $up -gt 3 ]
}

change_add() {
	of_state none b1 b2 b3 b4 b5 b6 || return 1
	state[$host]=up
	did="add $host"
}
change_remove() {
	{ [ $((RANDOM % 2)) = 0 ] && of_state drain b1 b2 b3 b4 b5 b6; } ||
		{ [ $((RANDOM % 3)) = 0 ] && of_state down b1 b2; } ||
		{ may_lose_one && of_state up b1 b2 b3 b4 b5 b6; } || return 1
	unset "state[$host]"
	did="remove $host"
}
change_drain() {
	may_lose_one && of_state up b1 b2 b3 b4 b5 b6 || return 1
	state[$host]=drain
	did="drain $host"
}
change_undrain() {
	of_state drain b1 b2 b3 b4 b5 b6 || return 1
	state[$host]=up
	did="put $host back"
}
change_down() {
	may_lose_one && of_state up b1 b2 || of_state drain b1 b2 || return 1
	state[$host]=down
	did="$host down"
}
change_up() {
	of_state down b1 b2 || return 1
	state[$host]=up
	did="$host up"
}
change_weight() {
	of_state up b1 b2 b3 b4 b5 b6 || return 1
	random 8
	weight[$host]=$((50 + 50 * picked))
	did="weight ${weight[$host]} of $host"
}
change_to_b() {
	[ $pool_of_one = a ] || return 1
	pool_of_one=b
	has_b=true
	did="VIP one to pool b"
}
change_to_a() {
	[ $pool_of_one = b ] || return 1
	pool_of_one=a
	did="VIP one to pool a"
}
change_drop_b() {
	[ $pool_of_one = a ] && $has_b || return 1
	has_b=false
	did="remove pool b"
}
change_ring() {
	ring=$((ring == 4093 ? 5003 : 4093))
	did="ring size $ring"
}
change_deadline() {
	state_b8=drain
	b8_down_at=$((SECONDS + deadline))
	tell_deadline &
	did="drain b8 for $deadline s"
}
change_deadline_over() {
	while [ "$SECONDS" -le $((b8_down_at + 7)) ]; do
		sleep 0.2
	done
	state_b8=up
	did="b8 up"
}

# Its flows break when the deadline comes; the controller may just be starting again then.
tell_deadline() {
	sleep $((deadline - 1))
	tell "falling 8"
	sleep 5
	tell "down 8"
}

change_several() {
	local all=() name kinds=(add remove drain undrain down up weight weight)
	! $moving || kinds+=(to_a to_b ring)
	for name in "${kinds[@]}"; do
		if [ $((RANDOM % 3)) = 0 ] && [ ${#all[@]} -lt 4 ] && "change_$name"; then
			all+=("$did")
		fi
	done
	[ ${#all[@]} -gt 0 ] || return 1
	did=$(printf '%s, ' "${all[@]}")
	did=${did%, }
}

pool_a() {
	local name
	for name in b1 b2 b3 b4 b5 b6; do
		[ -z "${state[$name]:-}" ] ||
			echo "      - { address: \"$(tunnel_address $name)\", weight: ${weight[$name]}, state: ${state[$name]} }"
	done
}

# times DRAIN
times() { echo "    times: { settle: $settle, udp: $udp, syn: 1, record: $record, linger: 3, drain: $1 }"; }

write_config() {
	local vip number=1
	{
		cat <<-END
			instance: $tag
			devices: [eth0]
			hash_key: $key
			limits: { backends: 64, ring_words: 262144, cache: $cache, tcp_flows: $tcp_flows, syn_flows: $syn_flows,
			          udp_flows: 8192, tracked_flows: $tracked_flows }
			pools:
			  - name: a
			    ring_size: $ring
			$(times 3600)
			    backends:
			$(pool_a)
		END
		! $has_b || pool_of b 3600 4099 b3 b4 b5 b6 b7
		pool_of c $deadline 4111 b6 b7
		echo "      - { address: \"$(tunnel_address b8)\", state: $state_b8 }"
		echo "vips:"
		for vip in one two three; do
			echo "  - name: $vip"
			echo "    mode: $mode"
			echo "    addresses: [192.0.2.$number, \"2001:db8::$number\"]"
			echo "    services: [80/tcp, 9/tcp, 7/udp]"
			case $vip in
			one) echo "    pool: $pool_of_one" ;;
			two) echo "    pool: a" ;;
			three) echo "    pool: c" ;;
			esac
			number=$((number + 1))
		done
	} > "$config.new"
	mv "$config.new" "$config"
}

# pool_of NAME DRAIN RING_SIZE HOSTS...
pool_of() {
	local name
	printf '  - name: %s\n    ring_size: %s\n' "$1" "$3"
	times "$2"
	echo "    backends:"
	for name in "${@:4}"; do
		echo "      - { address: \"$(tunnel_address "$name")\" }"
	done
}
