// SPDX-License-Identifier: GPL-2.0-only
/* The one definition of every map; see maps.bpf.h for what each holds. */
#include "maps.bpf.h"

#define X(name) struct name##_map name SEC(".maps");
MAPS(X)
#undef X

char LICENSE[] SEC("license") = "GPL";
