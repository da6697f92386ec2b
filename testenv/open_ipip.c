// SPDX-License-Identifier: GPL-2.0-only
/*
 * For backends whose kernel has no ipip device: opens IPv4 tunnels (protocol 4) that came in fragments. `tailrace decap` leaves them
 * to the stack, which makes them whole and gives them to this raw socket; the inner packet goes into a TUN device.
 *
 *   open_ipip DEVICE
 *
 * Makes the TUN device, sets it up, prints "ready", then a line for each packet: its bytes.
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TUN_MTU 65535

static int make_tun(const char *name)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC), control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || control < 0 || ioctl(fd, TUNSETIFF, &request))
		return -1;
	request.ifr_mtu = TUN_MTU;
	if (ioctl(control, SIOCSIFMTU, &request))
		return -1;
	request.ifr_flags = IFF_UP;
	if (ioctl(control, SIOCSIFFLAGS, &request))
		return -1;
	close(control);
	return fd;
}

int main(int argc, char **argv)
{
	int raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_IPIP), tun;
	static uint8_t packet[1 << 16];

	if (argc != 2 || raw < 0)
		return 2;
	tun = make_tun(argv[1]);
	if (tun < 0) {
		perror(argv[1]);
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	for (;;) {
		ssize_t len = recv(raw, packet, sizeof(packet), 0);
		size_t header = (packet[0] & 15) * 4;

		if (len < (ssize_t)(header + sizeof(struct iphdr)))
			continue;
		if (write(tun, packet + header, len - header) < 0)
			perror("open_ipip: write");
		printf("%zd\n", len);
	}
}
