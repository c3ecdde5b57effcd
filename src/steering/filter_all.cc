// SPDX-License-Identifier: Apache-2.0
// all: keeps everything as it is; for a chain that should say so.

#include "steering/registry.h"

namespace fairway {
namespace {

class All final : public Filter {
    void apply(ChainRun&) const override {}
};

}  // namespace

std::unique_ptr<const Filter> make_all(const FilterSource&) {
    return std::make_unique<All>();
}

}  // namespace fairway
