// SPDX-License-Identifier: Apache-2.0
#pragma once
// xdp_program.bpf.c, compiled: the ELF object that the kernel gets by libbpf. Its source is made by the
// build.

#include <span>

namespace fairway::dns {

extern const std::span<const unsigned char> xdp_program_object;

}  // namespace fairway::dns
