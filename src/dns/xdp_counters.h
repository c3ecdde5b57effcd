// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a worker counts of its AF_XDP queues, beside what WorkerCounters count of every answer.

#include "dns/server_counters.h"

namespace fairway::dns {

struct XdpCounters {
    Counter received;  // frames that came to a queue
    Counter answered;  // replies given to the kernel for sending
    Counter dropped;   // malformed or damaged frames
    Counter
        transmit_full;  // answers for which there was no place in the transmit ring, or that were too long
};

}  // namespace fairway::dns
