// SPDX-License-Identifier: Apache-2.0
#include "steering/great_circle.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace fairway {

double great_circle_km(const Coordinates& from, const Coordinates& to) noexcept {
    // Haversine: exact enough for neighbours, where the law of cosines loses its digits.
    constexpr double radius_km = 6371.0088;
    constexpr double radians = std::numbers::pi / 180;
    const double half_dy = std::sin((to.latitude - from.latitude) * radians / 2);
    const double half_dx = std::sin((to.longitude - from.longitude) * radians / 2);
    const double h = half_dy * half_dy +
                     std::cos(from.latitude * radians) * std::cos(to.latitude * radians) * half_dx * half_dx;
    return 2 * radius_km * std::asin(std::sqrt(std::clamp(h, 0.0, 1.0)));
}

}  // namespace fairway
