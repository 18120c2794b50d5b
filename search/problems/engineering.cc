#include <algorithm>
#include <cmath>

#include "search/problems/test_function.h"

namespace lathe::search {
namespace {

using Values = std::vector<double>;

TestFunction bnh() {
  return {"bnh", {0, 0}, {5, 3}, {140, 50}, 2, [](const Values& x) {
            return Values{4 * x[0] * x[0] + 4 * x[1] * x[1], (x[0] - 5) * (x[0] - 5) + (x[1] - 5) * (x[1] - 5),
                          ((x[0] - 5) * (x[0] - 5) + x[1] * x[1] - 25) / 25,
                          -((x[0] - 8) * (x[0] - 8) + (x[1] + 3) * (x[1] + 3) - 7.7) / 7.7};
          }};
}

TestFunction osy() {
  const auto f = [](const Values& x) {
    const auto square = [](double v) { return v * v; };
    const double f1 = -(25 * square(x[0] - 2) + square(x[1] - 2) + square(x[2] - 1) + square(x[3] - 4) + square(x[4] - 1));
    double f2 = 0;
    for (const double v : x) f2 += v * v;
    return Values{f1,
                  f2,
                  -(x[0] + x[1] - 2) / 2,
                  -(6 - x[0] - x[1]) / 6,
                  -(2 - x[1] + x[0]) / 2,
                  -(2 - x[0] + 3 * x[1]) / 2,
                  -(4 - square(x[2] - 3) - x[3]) / 4,
                  -(square(x[4] - 3) + x[5] - 4) / 4};
  };
  return {"osy", {0, 0, 1, 0, 1, 0}, {10, 10, 5, 6, 5, 10}, {0, 100}, 6, f};
}

TestFunction tnk() {
  const double pi = std::acos(-1.0);
  return {"tnk", {0, 1e-30}, {pi, pi}, {1.1, 1.1}, 2, [](const Values& x) {
            return Values{x[0], x[1], -(x[0] * x[0] + x[1] * x[1] - 1 - 0.1 * std::cos(16 * std::atan(x[0] / x[1]))),
                          2 * ((x[0] - 0.5) * (x[0] - 0.5) + (x[1] - 0.5) * (x[1] - 0.5)) - 1};
          }};
}

// x = weld thickness h, weld length l, bar height t, bar width b [in]; f = cost, end deflection [in]; g: shear stress, bending stress,
// h <= b, buckling load.
TestFunction welded_beam() {
  const auto f = [](const Values& x) {
    const double h = x[0], l = x[1], t = x[2], b = x[3];
    constexpr double kLoad = 6000, kLength = 14, kShearLimit = 13600, kBendingLimit = 30000;
    const double r = std::sqrt(0.25 * (l * l + (h + t) * (h + t)));
    const double moment = kLoad * (kLength + l / 2);
    const double inertia = 2 * std::sqrt(0.5) * h * l * (l * l / 12 + 0.25 * (h + t) * (h + t));
    const double primary = kLoad / (std::sqrt(2.0) * h * l), secondary = moment * r / inertia;
    const double shear = std::sqrt(primary * primary + secondary * secondary + primary * secondary * l / r);
    const double bending = 6 * kLoad * kLength / (b * t * t);
    const double buckling = 64746.022 * (1 - 0.0282346 * t) * t * b * b * b;
    return Values{1.10471 * h * h * l + 0.04811 * t * b * (14 + l), 2.1952 / (b * t * t * t), (shear - kShearLimit) / kShearLimit,
                  (bending - kBendingLimit) / kBendingLimit,        (h - b) / (5 - 0.125),    (kLoad - buckling) / kLoad};
  };
  return {"welded_beam", {0.125, 0.1, 0.1, 0.125}, {5, 10, 10, 5}, {40, 0.015}, 4, f};
}

// x = areas of two bars [m^2], height y of the joint [m]; f = volume [m^3], larger stress [kPa]; g: stress <= 1e5 kPa.
TestFunction truss2d() {
  const auto f = [](const Values& x) {
    const double y = x[2], ac = std::sqrt(16 + y * y), bc = std::sqrt(1 + y * y);
    constexpr double kLeast = 1e-12;  // areas may be 0, where stress has no end
    const double stress = std::max(20 * ac / (y * std::max(x[0], kLeast)), 80 * bc / (y * std::max(x[1], kLeast)));
    return Values{x[0] * ac + x[1] * bc, stress, stress - 1e5};
  };
  return {"truss2d", {0, 0, 1}, {0.01, 0.01, 3}, {0.06, 1e5}, 1, f};
}

// x = inner and outer radius of the discs [mm], engaging force [N], number of friction surfaces; f = mass [kg], stopping time [s]; g: radii
// apart, pressure, temperature, torque (T. Ray, K. M. Liew 2002; scaled as in BoTorch: "at least 0" turned to "at most 0").
TestFunction disc_brake() {
  const auto f = [](const Values& x) {
    const double inner = x[0], outer = x[1], force = x[2], surfaces = x[3];
    const double squares = outer * outer - inner * inner, cubes = outer * outer * outer - inner * inner * inner;
    const double mass = 4.9e-5 * squares * (surfaces - 1), time = 9.82e6 * squares / (force * surfaces * cubes);
    return Values{mass,
                  time,
                  20 - (outer - inner),
                  force / (3.14 * squares) - 0.4,
                  2.22e-3 * force * cubes / (squares * squares) - 1,
                  900 - 2.66e-2 * force * surfaces * cubes / squares};
  };
  return {"disc_brake", {55, 75, 1000, 11}, {80, 110, 3000, 20}, {5.7771, 3.9651}, 4, f};
}

Values carside_constraints(const Values& x) {
  return {1.16 - 0.3717 * x[1] * x[3] - 0.0092928 * x[2],
          0.261 - 0.0159 * x[0] * x[1] - 0.188 * x[0] * 0.345 - 0.019 * x[1] * x[6] + 0.0144 * x[2] * x[4] + 0.08045 * x[5] * 0.192,
          0.214 + 0.00817 * x[4] - 0.131 * x[0] * 0.345 - 0.0704 * x[0] * 0.192 + 0.03099 * x[1] * x[5] - 0.018 * x[1] * x[6] +
              0.0208 * x[2] * 0.345 + 0.121 * x[2] * 0.192 - 0.00364 * x[4] * x[5] - 0.018 * x[1] * x[1],
          0.74 - 0.61 * x[1] - 0.031296 * x[2] - 0.166 * x[6] * 0.192 + 0.227 * x[1] * x[1],
          28.98 + 3.818 * x[2] - 4.2 * x[0] * x[1] + 6.63 * x[5] * 0.192 - 7.77 * x[6] * 0.345,
          33.86 + 2.95 * x[2] - 5.057 * x[0] * x[1] - 11 * x[1] * 0.345 - 9.98 * x[6] * 0.345 + 22 * 0.345 * 0.192,
          46.36 - 9.9 * x[1] - 12.9 * x[0] * 0.345,
          4.72 - 0.5 * x[3] - 0.19 * x[1] * x[2],
          10.58 - 0.674 * x[0] * x[1] - 1.95 * x[1] * 0.345,
          16.45 - 0.489 * x[2] * x[6] - 0.843 * x[4] * x[5]};
}

// x = thicknesses of seven parts [mm]; f = weight [kg], pubic force [kN], mean velocity of the V-pillar [mm/ms]; g: loads, deflections and
// velocities in a side impact.
TestFunction carside() {
  const auto f = [](const Values& x) {
    static const Values kLimits{1, 0.32, 0.32, 0.32, 32, 32, 32, 4, 9.9, 15.7};
    Values g = carside_constraints(x);
    const double weight = 1.98 + 4.9 * x[0] + 6.67 * x[1] + 6.98 * x[2] + 4.01 * x[3] + 1.78 * x[4] + 0.00001 * x[5] + 2.73 * x[6];
    Values values{weight, g[7], (g[8] + g[9]) / 2};
    for (std::size_t k = 0; k < g.size(); ++k) values.push_back(g[k] / kLimits[k] - 1);
    return values;
  };
  return {"carside", {0.5, 0.45, 0.5, 0.5, 0.875, 0.4, 0.4}, {1.5, 1.35, 1.5, 1.5, 2.625, 1.2, 1.2}, {42.8, 4, 12.5}, 10, f};
}

constexpr TestFunction (*kFunctions[])() = {bnh, osy, tnk, welded_beam, truss2d, disc_brake, carside};

}  // namespace

const std::vector<std::string>& engineering_function_names() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const auto make : kFunctions) names.push_back(make().name);
    return names;
  }();
  return kNames;
}

std::optional<TestFunction> engineering_function(const std::string& name) {
  for (const auto make : kFunctions) {
    if (TestFunction made = make(); made.name == name) return made;
  }
  return std::nullopt;
}

}  // namespace lathe::search
