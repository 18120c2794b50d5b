#include "experiments/sweep/attainment_chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "experiments/sweep/report_table.h"
#include "experiments/text_table.h"

namespace lathe::experiments {
namespace {

constexpr double kWidth = 640, kHeight = 400, kLeft = 64, kRight = 16, kTop = 32, kBottom = 48;
// Distinguishable with all common kinds of colour blindness: M. Okabe, K. Ito: Color Universal Design, 2008.
constexpr std::array kColors{"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"};

std::string number(double value) {
  return format_fixed(value, 2);
}

struct Frame {
  double low_cost, high_cost, low_value, high_value;
  double x(double cost) const { return kLeft + (cost - low_cost) / (high_cost - low_cost) * (kWidth - kLeft - kRight); }
  double y(double value) const { return kHeight - kBottom - (value - low_value) / (high_value - low_value) * (kHeight - kTop - kBottom); }
};

Frame frame_of(const std::vector<AttainmentBand>& bands) {
  constexpr double kMost = std::numeric_limits<double>::infinity();
  Frame frame{kMost, -kMost, kMost, -kMost};
  for (const AttainmentBand& band : bands) {
    for (const auto* steps : {&band.quarter, &band.half, &band.three_quarters}) {
      for (const FrontPoint& point : *steps) {
        frame.low_cost = std::min(frame.low_cost, point.cost);
        frame.high_cost = std::max(frame.high_cost, point.cost);
        frame.low_value = std::min(frame.low_value, point.value);
        frame.high_value = std::max(frame.high_value, point.value);
      }
    }
  }
  if (!(frame.low_cost <= frame.high_cost)) return {0, 1, 0, 1};
  // Some room; and an extent even where all points agree.
  const double cost_room = std::max(0.05 * (frame.high_cost - frame.low_cost), 1e-6 * std::abs(frame.high_cost) + 1e-12);
  const double value_room = std::max(0.05 * (frame.high_value - frame.low_value), 1e-6);
  return {frame.low_cost - cost_room, frame.high_cost + cost_room, frame.low_value - value_room, frame.high_value + value_room};
}

// The steps as a path from the first point to the right edge.
std::string staircase(const Frame& frame, const std::vector<FrontPoint>& steps) {
  std::string path;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    path += (i == 0 ? "M" : "H") + number(frame.x(steps[i].cost)) + (i == 0 ? " " + number(frame.y(steps[i].value)) : "");
    if (i > 0) path += "V" + number(frame.y(steps[i].value));
  }
  return path.empty() ? path : path + "H" + number(frame.x(frame.high_cost));
}

// The region between two staircases: along the upper one, then back along the lower one.
std::string region(const Frame& frame, const std::vector<FrontPoint>& upper, const std::vector<FrontPoint>& lower) {
  if (upper.empty()) return "";
  const double floor = frame.y(frame.low_value);
  std::string path = staircase(frame, upper);
  double y = lower.empty() ? floor : frame.y(lower.back().value);
  path += "V" + number(y);
  for (std::size_t i = lower.size(); i-- > 0;) {
    y = i == 0 ? floor : frame.y(lower[i - 1].value);
    path += "H" + number(frame.x(lower[i].cost)) + "V" + number(y);
  }
  return path + "H" + number(frame.x(upper.front().cost)) + "Z";
}

std::string text_at(double x, double y, const std::string& anchor, const std::string& text) {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor + "\">" + html_escaped(text) + "</text>\n";
}

std::string axes(const Frame& frame, const std::string& cost_title) {
  constexpr int kTicks = 5;
  std::string svg = "<path d=\"M" + number(kLeft) + " " + number(kTop) + "V" + number(kHeight - kBottom) + "H" + number(kWidth - kRight) +
                    "\" fill=\"none\" stroke=\"#888\"/>\n";
  for (int i = 0; i <= kTicks; ++i) {
    const double share = static_cast<double>(i) / kTicks;
    const double cost = frame.low_cost + share * (frame.high_cost - frame.low_cost);
    const double value = frame.low_value + share * (frame.high_value - frame.low_value);
    svg += text_at(frame.x(cost), kHeight - kBottom + 16, "middle", format_significant(cost, 3));
    svg += text_at(kLeft - 6, frame.y(value) + 4, "end", format_fixed(100 * value, 1));
  }
  return svg + text_at((kLeft + kWidth - kRight) / 2, kHeight - 10, "middle", cost_title) + text_at(8, kTop - 12, "start", "accuracy, %");
}

}  // namespace

AttainmentBand attainment_band(const std::string& name, const std::vector<std::vector<FrontPoint>>& fronts) {
  const int runs = static_cast<int>(fronts.size());
  return {.name = name,
          .quarter = attainment_boundary(fronts, runs_of_share(runs, 0.25)),
          .half = attainment_boundary(fronts, runs_of_share(runs, 0.5)),
          .three_quarters = attainment_boundary(fronts, runs_of_share(runs, 0.75))};
}

std::string attainment_svg(const std::string& title, const std::string& cost_title, const std::vector<AttainmentBand>& bands) {
  const Frame frame = frame_of(bands);
  std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 400\" font-family=\"sans-serif\" font-size=\"12\">\n";
  svg += "<rect width=\"640\" height=\"400\" fill=\"white\"/>\n" + text_at(kWidth / 2, 18, "middle", title) + axes(frame, cost_title);
  for (std::size_t i = 0; i < bands.size(); ++i) {
    const std::string color = kColors[i % kColors.size()];
    svg += "<path d=\"" + region(frame, bands[i].quarter, bands[i].three_quarters) + "\" fill=\"" + color + "\" fill-opacity=\"0.18\"/>\n";
    svg += "<path d=\"" + staircase(frame, bands[i].half) + "\" fill=\"none\" stroke=\"" + color + "\" stroke-width=\"2\"/>\n";
    const double y = kHeight - kBottom - 12 - 16.0 * static_cast<double>(bands.size() - 1 - i);
    svg += "<rect x=\"" + number(kWidth - kRight - 12) + "\" y=\"" + number(y - 9) + "\" width=\"10\" height=\"10\" fill=\"" + color +
           "\"/>\n";
    svg += text_at(kWidth - kRight - 18, y, "end", bands[i].name);
  }
  return svg + "</svg>\n";
}

}  // namespace lathe::experiments
