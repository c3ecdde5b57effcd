/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs in the kernel for every frame that an interface receives: UDP datagrams to an address that is answered by
 * AF_XDP go to the socket of their queue, everything else takes its normal way. When in doubt, pass: behind the
 * same addresses and ports are ordinary sockets that answer what is not taken here.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "dns/xdp_program_maps.h"

/* One AF_XDP socket for each receive queue; the owner makes it as large as the interface has queues. */
struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} sockets SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __type(key, struct xdp_listen);
    __type(value, __u32);
} listens SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct xdp_interface);
} interface SEC(".maps");

/* Frames that went to the kernel. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} passed SEC(".maps");

/* gcc declares the kernel's functions by number; through the pointers of bpf_helpers.h its optimizer would call
   them by register, which the kernel does not take. */
void* look_up(void* map, const void* key) __attribute__((kernel_helper(BPF_FUNC_map_lookup_elem)));
long redirect(void* map, __u64 key, __u64 otherwise) __attribute__((kernel_helper(BPF_FUNC_redirect_map)));

static __always_inline int pass(void)
{
    const __u32 zero = 0;
    __u64* count = look_up(&passed, &zero);
    if (count) ++*count;
    return XDP_PASS;
}

static __always_inline int is_ours(const struct ethhdr* ethernet)
{
    const __u32 zero = 0;
    const struct xdp_interface* own = look_up(&interface, &zero);
    int i;
    if (!own) return 0;
    for (i = 0; i < ETH_ALEN; ++i)
        if (ethernet->h_dest[i] != own->mac[i]) return 0;
    return 1;
}

SEC("xdp")
int fairway_dns(struct xdp_md* context)
{
    void* const end = (void*)(long)context->data_end;
    struct ethhdr* const ethernet = (void*)(long)context->data;
    struct xdp_listen to = {};
    struct udphdr* udp;

    if ((void*)(ethernet + 1) > end) return pass();
    /* Not as a difference of pointers: those need CAP_PERFMON. */
    if ((void*)ethernet + xdp_longest_frame < end) return pass();
    if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
        struct iphdr* const ip = (void*)(ethernet + 1);
        if ((void*)(ip + 1) > end) return pass();
        /* No options, and neither "more fragments" nor an offset. */
        if (*(__u8*)ip != 0x45 || ip->protocol != IPPROTO_UDP || (ip->frag_off & bpf_htons(0x3fff))) return pass();
        __builtin_memcpy(to.address, &ip->daddr, sizeof ip->daddr);
        to.family = 4;
        udp = (void*)(ip + 1);
    } else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
        struct ipv6hdr* const ip = (void*)(ethernet + 1);
        if ((void*)(ip + 1) > end) return pass();
        if (ip->nexthdr != IPPROTO_UDP) return pass();
        __builtin_memcpy(to.address, &ip->daddr, sizeof ip->daddr);
        to.family = 6;
        udp = (void*)(ip + 1);
    } else {
        return pass();
    }
    if ((void*)(udp + 1) > end) return pass();
    to.port = udp->dest;
    if (!look_up(&listens, &to)) return pass();
    if (!is_ours(ethernet)) return pass();
    /* A queue without a socket passes too. */
    return (int)redirect(&sockets, context->rx_queue_index, XDP_PASS);
}

/* The helpers used here are open to any license. */
char fairway_license[] SEC("license") = "Apache-2.0";
