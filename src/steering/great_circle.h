// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/location.h"

namespace fairway {

/// Kilometres over the surface of a sphere of the Earth's mean radius; within 0.6% of the ellipsoid's truth.
[[nodiscard]] double great_circle_km(const Coordinates& from, const Coordinates& to) noexcept;

}  // namespace fairway
