// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the XDP program (C, runs in the kernel) and its owner (C++) must agree on; valid in both languages.

#include <linux/types.h>

/// Longer frames go to the kernel: an AF_XDP frame of 2048 octets has this room behind the headroom.
enum { xdp_longest_frame = 1792 };

/// Key of the map `listens`: a UDP address that is answered here.
struct xdp_listen {
    __u8 address[16]; /* an IPv4 address in the first four octets */
    __be16 port;
    __u16 family; /* 4 or 6 */
};

/// The one value of the map `interface`: frames to other stations are not ours.
struct xdp_interface {
    __u8 mac[6];
    __u8 unused[2];
};
