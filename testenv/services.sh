# shellcheck shell=bash disable=SC2034,SC2154 # lib.sh and the scripts have the other half
# SPDX-License-Identifier: GPL-2.0-only
# What runs on the hosts: nginx and the UDP echo on backends, the controller on the balancer; and the client's traffic.
# Sourced by lib.sh.

nginx=$top/build/unpacked/nginx/usr/sbin/nginx
udp_echo=$top/build/testenv/udp_echo

# nginx_config HOST DIRECTORY PORT...
nginx_config() {
	local host=$1 dir=$2 kind port
	shift 2
	cat <<-END
		daemon off;
		user root;
		worker_processes 1;
		pid $dir/pid;
		error_log $dir/error.log;
		events { worker_connections 1024; }
		http {
		access_log off;
		client_max_body_size 100m;
	END
	for kind in client_body proxy fastcgi uwsgi scgi; do
		echo "${kind}_temp_path $dir/$kind;"
	done
	echo "server {"
	for port; do
		echo "listen $port; listen [::]:$port;"
	done
	cat <<-END
		add_header X-Backend $host;
		location / { return 200 "$host\n"; }
		location /files/ { alias $tmp/files/; }
		location /upload/ { root $dir; dav_methods PUT; create_full_put_path on; }
		} }
	END
}

# start_nginx HOST PORT...: GET / says who answers; /files/ is $tmp/files; PUT /upload/X arrives in $tmp/HOST/upload/X.
start_nginx() {
	local host=$1 dir=$tmp/$1
	mkdir -p "$dir" "$tmp/files"
	nginx_config "$host" "$dir" "${@:2}" > "$dir/nginx.conf"
	# -e: before it reads its configuration it would open /var/log/nginx.
	spawn "$host" "$dir/nginx.log" "$nginx" -p "$dir" -c "$dir/nginx.conf" -e "$dir/error.log"
	wait_until 10 on "$host" curl -s -o /dev/null "http://$(address4 "$host"):$2/" ||
		{ cat "$dir/nginx.log" "$dir/error.log" >&2; die "nginx does not come up on $host"; }
}

has_echo() { [ "$(on "$1" ss -Hlun "sport = :$2" | wc -l)" = 2 ]; }

# start_echo HOST PORT...: answers with what came and the host's name behind it.
start_echo() {
	spawn "$1" "$tmp/echo-$1.log" "$udp_echo" server "$@"
	wait_until 10 has_echo "$1" "${@: -1}" || { cat "$tmp/echo-$1.log" >&2; die "udp_echo does not come up on $1"; }
}

# configure [LINES...] < POOLS AND VIPS: the configuration file, with small maps, so that a look into all of one is quick; and with
# more fields of the instance. Its devices are $devices.
devices='[eth0]'
configure() {
	cat - > "$config.body"
	printf '%s\n' "$@" | cat - "$config.body" > "$config.more"
	cat - "$config.more" > "$config" <<-END
		instance: $tag
		devices: $devices
		metrics: 127.0.0.1:9564
		limits: { backends: 64, ring_words: 1048576 }
	END
	rm "$config.body" "$config.more"
}

# The four mixes of families: VIPs .1 and ::1 have IPv4 tunnels, .2 and ::2 IPv6 tunnels, to b1 and b2.
mixed_vips=(192.0.2.1 192.0.2.2 2001:db8::1 2001:db8::2)

# mixed_pools: to be followed by more of them. And mixed_vips_with FIELDS: more fields of each.
mixed_pools() {
	cat <<-END
		pools:
		  - { name: four, times: $quick, backends: [{ address: $(address4 b1) }, { address: $(address4 b2) }] }
		  - { name: six, times: $quick, backends: [{ address: "$(address6 b1)" }, { address: "$(address6 b2)" }] }
	END
}
mixed_vips_with() {
	cat <<-END
		vips:
		  - { name: four, addresses: [192.0.2.1, "2001:db8::1"], services: [80/tcp, 7/udp], pool: four${1:+, $1} }
		  - { name: six, addresses: [192.0.2.2, "2001:db8::2"], services: [80/tcp, 7/udp], pool: six${1:+, $1} }
	END
}

# serve_mixes [VIPS...]: the backends of the mixes, for other VIPs too. They know that clients have a smaller MTU than tunnels.
serve_mixes() {
	local host n
	for host in b1 b2; do
		n=$(link_of $host)
		ip -n "$tag-$host" -b - <<-END
			route change default via 10.0.$n.1 mtu $client_mtu
			route change default via fd00:0:0:$n::1 mtu $client_mtu
		END
		open_tunnel "$host" 192.0.2.0/24 2001:db8::/64 "$@"
		start_nginx "$host" 80
		start_echo "$host" 7
	done
}

# ok_mixes NAME COMMAND...: a test of each mix. The command gets the VIP, and an address of the client's that has met no VIP before
# (add_client_addresses), so that no MTU is known to it.
last_client=0
ok_mixes() {
	local vip inner outer
	for vip in "${mixed_vips[@]}"; do
		last_client=$((last_client + 1))
		inner=v4
		outer=v4
		[[ $vip != *:* ]] || inner=v6
		[[ $vip != *2 ]] || outer=v6
		ok "$1, $inner VIP, $outer backends" "${@:2}" "$vip" "$(client_address "$vip" $last_client)"
	done
}

# client_address VIP NUMBER: that one of the client's addresses that has the VIP's family.
client_address() { if [[ $1 = *:* ]]; then printf 'fd00:0:0:c::%x' "$2"; else echo "203.0.113.$2"; fi; }

# A file, for tests run in subshells.
controller_pid() { cat "$tmp/controller.pid"; }

controller_is() {
	case $1 in
	ready) grep -q 'ready$' "$tmp/controller.log" ;;
	gone) ! kill -0 "$(controller_pid)" ;;
	ready-or-gone) controller_is ready || controller_is gone ;;
	esac
}

# start_controller [OPTIONS OF run]: returns when it is ready and its backends take flows.
start_controller() {
	spawn balancer "$tmp/controller.log" "$tailrace" run -c "$config" "$@"
	echo "$spawned" > "$tmp/controller.pid"
	if ! wait_until 20 controller_is ready-or-gone || ! controller_is ready || ! wait_until 10 all_take_flows; then
		cat "$tmp/controller.log" >&2
		return 1
	fi
}

# stop_controller [SIGNAL]
stop_controller() {
	kill -s "${1:-TERM}" "$(controller_pid)"
	wait_until 10 controller_is gone
}

status() { on balancer "$tailrace" status -i "$tag" --json; }
stats() { on balancer "$tailrace" stats -i "$tag" --json; }
verdict() { stats | json "s['verdicts'].get('$1', 0)"; }
takes_flows() { status | json "[b['takes_flows'] for p in s['pools'] for b in p['backends'] if b['address'] == '$1'][0]"; }

all_take_flows() {
	[ "$(status | json "all(b['takes_flows'] for p in s['pools'] for b in p['backends'] if b['state'] == 'up')")" = True ]
}

running() { status | json "s['controller']['running']"; }
attached() { ip -n "$tag-balancer" link show dev eth0 | grep xdp; }
metrics() { on balancer curl -s -f http://127.0.0.1:9564/metrics; }

# bad_verdicts [GOOD...]: verdicts that traffic of the demo and the tests must not meet, "NAME COUNT" on a line: all but
# those of plain traffic and the GOOD ones.
bad_verdicts() {
	stats | json "'\n'.join(f'{name} {count}' for name, count in s['verdicts'].items() if count and
		name not in 'forwarded not_ip not_vip $*'.split())"
}
no_bad_verdicts() { equal "" "$(bad_verdicts "$@")"; }

# counted VERDICT LEAST COMMAND...: the command succeeds, and at least so many packets more are under this verdict after it.
counted() {
	local name=$1 least=$2 before after
	shift 2
	before=$(verdict "$name")
	"$@"
	after=$(verdict "$name")
	echo "$name: $before, then $after"
	[ $((after - before)) -ge "$least" ]
}
# unanswered_as VERDICT LEAST COMMAND...: the command fails, and so on.
unanswered_as() { counted "$1" "$2" refuses "${@:3}"; }

# watch HOST PROGRAM...: from now on what it tells of the host's packets stands in $tmp/seen-HOST.
watch() {
	local log=$tmp/seen-$1
	[ ! -s "$log.pid" ] || kill "$(< "$log.pid")"
	spawn "$1" "$log" "${@:2}"
	echo "$spawned" > "$log.pid"
	wait_until 10 grep -qE 'listening on|ready' "$log" || { cat "$log"; return 1; }
}
watch_packets() { watch "$1" tcpdump --immediate-mode -l -n -v -i eth0 "${@:2}"; }
watch_errors() { watch "$1" "$testenv/watch_icmp.py"; }

# seen HOST PATTERN: how many lines are like this (grep -E).
seen() { grep -cE -- "$2" "$tmp/seen-$1" || true; }
# seen_on "HOSTS" PATTERN: on these of those that are watched, and on no others.
seen_on() { equal "$1" "$(cd "$tmp" && grep -lE -- "$2" seen-*[0-9] | sed 's/^seen-//' | xargs)"; }

# fetch COUNT URL [OPTIONS OF curl]: requests, each over a connection of its own; prints "STATUS BACKEND" for each.
fetch() {
	on client curl -s --no-progress-meter -Z --parallel-immediate --parallel-max 16 -H 'Connection: close' --connect-timeout 5 --max-time 20 \
		-o /dev/null -w '%{http_code} %header{x-backend}\n' "${@:3}" "$2?[1-$1]" || true
}

# echoes COUNT ADDRESS PORT [FIRST_PORT [OPTIONS OF udp_echo client]]: UDP flows; prints "PORT BACKEND" for each, "-" for one
# without a good echo.
echoes() { on client "$udp_echo" client "${@:5}" "$2" "$3" "$1" "${4:-0}" || true; }

# http_url ADDRESS [PORT]
http_url() {
	case $1 in
	*:*) echo "http://[$1]:${2:-80}" ;;
	*) echo "http://$1:${2:-80}" ;;
	esac
}

# served_by "BACKENDS" COUNT ADDRESS [PORT] and echoed_by "BACKENDS" COUNT ADDRESS PORT: every request is answered, by
# these and no others, by each of them.
served_by() { equal "$1" "$(fetch "$2" "$(http_url "${@:3}")/" | answered_by)"; }
echoed_by() { equal "$1" "$(echoes "$2" "$3" "$4" "${@:5}" | answered_by)"; }
not_served() { equal - "$(fetch 2 "$(http_url "$1")/" --connect-timeout 1 | answered_by)"; }
answered_by() { awk '$1 == "000" || ($1 != 200 && $1 < 1024) { $2 = "-" } { print $2 }' | sort -u | xargs; }

sum_of() { sha256sum < "$1" | cut -d ' ' -f 1; }

# download URL OF A FILE IN $tmp/files [OPTIONS OF curl]: arrives whole. Fit for conditions, where set -e does not count.
download() {
	local got=$tmp/download-$BASHPID
	on client curl -s -f --connect-timeout 5 --max-time 60 -o "$got" "${@:2}" "$1" &&
		equal "$(sum_of "$tmp/files/${1##*/}")" "$(sum_of "$got")" &&
		rm "$got"
}

# upload FILE URL OF A DIRECTORY [OPTIONS OF curl]: arrives whole at a backend.
upload() {
	local name=upload-$BASHPID
	on client curl -s -f --connect-timeout 5 --max-time 60 -o /dev/null "${@:3}" -T "$1" "$2$name" &&
		equal "$(sum_of "$1")" "$(sum_of "$(echo "$tmp"/*/upload/"$name")")" &&
		rm "$tmp"/*/upload/"$name"
}

# begin_download ADDRESS FILE and end_download FILE: a download that lasts as long as the test wants, 160 kB a second until
# its end is asked for. One at a time.
begin_download() {
	rm -f "$tmp/hurry"
	cat > "$tmp/download.py" <<-'END'
		import hashlib, os, socket, sys, time

		address, file, hurry = sys.argv[1:]
		server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
		server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
		server.settimeout(10)
		server.connect((address, 80))
		server.sendall(f"GET /files/{file} HTTP/1.0\r\n\r\n".encode())
		answer = server.makefile("rb")
		while answer.readline() not in (b"\r\n", b""):
		    pass
		digest = hashlib.sha256()
		while data := answer.read(1 << 14):
		    digest.update(data)
		    if not os.path.exists(hurry):
		        time.sleep(0.1)
		if not os.path.exists(hurry):
		    sys.exit("the download has ended too soon")
		print(digest.hexdigest())
	END
	spawn client "$tmp/download.log" python3 "$tmp/download.py" "$1" "$2" "$tmp/hurry"
}
end_download() {
	touch "$tmp/hurry"
	wait_until 30 test -s "$tmp/download.log" || true
	equal "$(sum_of "$tmp/files/$1")" "$(< "$tmp/download.log")"
}
