// SPDX-License-Identifier: GPL-2.0-only
/* Names and numbers of the interfaces; see devices.h. */
#include "devices.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "log.h"
#include "util.h"

/*
 * Above it a packet may need a second buffer. With 4 KiB pages veth and virtio_net take 3,506 bytes in one, most NICs 3,498,
 * those with buffers of 3 KiB (ixgbe, i40e, ice) 3,046 and some less with two tags.
 */
#define LINEAR_MTU 3000

int devices_find(const struct config *config, struct devices *ret)
{
	struct devices devices = { .n = config->n_devices };

	for (uint32_t i = 0; i < devices.n; i++) {
		devices.ifindexes[i] = if_nametoindex(config->devices[i]);
		if (!devices.ifindexes[i])
			return log_err(-ENODEV, "%s: devices: %s is no interface in this network namespace", config->path,
				       config->devices[i]);
	}
	*ret = devices;
	return 0;
}

uint32_t devices_check(struct devices *devices, const struct config *config)
{
	uint32_t anew = 0;

	for (uint32_t i = 0; i < devices->n; i++) {
		uint32_t ifindex = if_nametoindex(config->devices[i]), bit = 1u << i;

		if (!ifindex && !(devices->missing & bit))
			log_error("%s: the interface is gone (or has another name now); waiting for it", config->devices[i]);
		devices->missing = ifindex ? devices->missing & ~bit : devices->missing | bit;
		if (!ifindex || ifindex == devices->ifindexes[i])
			continue;
		log_info("%s: the interface was made anew; starting on it", config->devices[i]);
		devices->ifindexes[i] = ifindex;
		anew |= bit;
	}
	return anew;
}

bool devices_have(const struct devices *devices, uint32_t ifindex)
{
	for (uint32_t i = 0; i < devices->n; i++)
		if (devices->ifindexes[i] == ifindex)
			return true;
	return false;
}

bool devices_need_frags(const struct config *config)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool need = false;

	for (size_t i = 0; i < config->n_devices && fd >= 0; i++) {
		struct ifreq request = {};

		strncpy(request.ifr_name, config->devices[i], sizeof(request.ifr_name) - 1);
		need = need || (!ioctl(fd, SIOCGIFMTU, &request) && request.ifr_mtu > LINEAR_MTU);
	}
	return need;
}
