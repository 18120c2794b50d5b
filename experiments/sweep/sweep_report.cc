#include "experiments/sweep/sweep_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <utility>

#include "experiments/run_directory.h"
#include "experiments/sweep/attainment_chart.h"
#include "experiments/sweep/comparison.h"
#include "experiments/sweep/merged_store.h"
#include "experiments/sweep/report_table.h"
#include "experiments/sweep/sweep_directory.h"
#include "experiments/text_table.h"
#include "models/base/error.h"

namespace lathe::experiments {
namespace {

using Collection = ResultCollector::Collection;

constexpr double kSignificant = 0.05;
constexpr const char* kStyle =
    "body{font:15px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em}table{border-collapse:collapse;margin:1.5em 0}"
    "caption{text-align:left;font-weight:bold;padding-bottom:.4em}td,th{padding:.2em .7em;border-bottom:1px solid #ddd;text-align:left}"
    ".number{text-align:right}figure{margin:1em 0;max-width:50em}";

std::string p_text(double p) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g", p);
  return text.data();
}

std::string share_text(double value) {
  return format_fixed(value, 4);
}

ReportTable runs_table(const Collection& all) {
  ReportTable table{.name = "runs",
                    .caption = "Hypervolume of each run, as a share of the box between the reference point and the ideal",
                    .columns = {"problem", "device", "method", "seed", "hypervolume", "points"}};
  for (const RunResult& r : all.results)
    table.rows.push_back({r.problem, r.device, r.method, r.seed, share_text(r.hypervolume), std::to_string(r.front.size())});
  return table;
}

// Results that differ in seed alone.
std::map<std::array<std::string, 3>, std::vector<const RunResult*>> repetitions(const Collection& all) {
  std::map<std::array<std::string, 3>, std::vector<const RunResult*>> groups;
  for (const RunResult& r : all.results) groups[{r.problem, r.device, r.method}].push_back(&r);
  return groups;
}

ReportTable summary_table(const Collection& all) {
  ReportTable table{
      .name = "summary",
      .caption = "Hypervolume over repetitions (" + (all.compared.empty() ? "all runs" : "method: " + all.compared) + ")",
      .columns = {"problem", "device", "method", "runs", "mean", "std. dev.", "min", "lower quartile", "median", "upper quartile", "max"}};
  for (const auto& [key, results] : repetitions(all)) {
    std::vector<double> values;
    for (const RunResult* r : results) values.push_back(r->hypervolume);
    const Summary s = summarize(values);
    table.rows.push_back({key[0], key[1], key[2], std::to_string(s.count), share_text(s.mean), share_text(s.stddev), share_text(s.minimum),
                          share_text(s.lower_quartile), share_text(s.median), share_text(s.upper_quartile), share_text(s.maximum)});
  }
  return table;
}

ReportTable pairs_table(const Comparison& comparison) {
  ReportTable table{.name = "pairs",
                    .caption =
                        "Pairs of methods over blocks of equal problem, device and seed: Wilcoxon signed-rank test, two-sided, "
                        "p adjusted by Holm; differences of hypervolume",
                    .columns = {"method", "against", "blocks", "wins", "losses", "median difference", "p", "adjusted p", "significant"}};
  for (const PairTest& pair : comparison.pairs)
    table.rows.push_back({pair.a, pair.b, std::to_string(pair.blocks), std::to_string(pair.wins), std::to_string(pair.losses),
                          share_text(pair.median_difference), p_text(pair.test.p_value), p_text(pair.adjusted_p),
                          pair.adjusted_p < kSignificant ? "yes" : "no"});
  return table;
}

ReportTable ranks_table(const Collection& all, const Comparison& comparison) {
  const FriedmanTest& test = comparison.ranks;
  ReportTable table{.name = "ranks",
                    .caption = "Mean ranks (1 = largest hypervolume) over " + std::to_string(comparison.blocks) +
                               " blocks: Friedman chi-square " + format_fixed(test.chi_square, 2) + ", p " + p_text(test.p_value) +
                               "; methods whose ranks differ by less than the critical difference " +
                               format_fixed(test.critical_difference, 2) + " (Nemenyi, 0.05) are not told apart",
                    .columns = {"method", "mean rank", "not told apart from"}};
  std::vector<std::size_t> order;
  for (std::size_t m = 0; m < test.mean_ranks.size(); ++m) order.push_back(m);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return test.mean_ranks[a] < test.mean_ranks[b]; });
  for (const std::size_t m : order) {
    std::string alike;
    for (const std::size_t other : order)
      if (other != m && std::abs(test.mean_ranks[m] - test.mean_ranks[other]) < test.critical_difference)
        alike += (alike.empty() ? "" : "; ") + all.methods[other];
    table.rows.push_back({all.methods[m], format_fixed(test.mean_ranks[m], 2), alike});
  }
  return table;
}

struct Picture {
  std::string name, svg;
};

// One picture for each problem and device: the bands of all methods.
std::vector<Picture> attainment_pictures(const Collection& all, ReportTable& steps) {
  std::map<std::pair<std::string, std::string>, std::vector<AttainmentBand>> bands;
  std::map<std::pair<std::string, std::string>, std::string> costs;
  for (const auto& [key, results] : repetitions(all)) {
    std::vector<std::vector<FrontPoint>> fronts;
    for (const RunResult* r : results) fronts.push_back(r->front);
    const AttainmentBand band = attainment_band(key[2], fronts);
    costs[{key[0], key[1]}] = results.front()->cost;
    for (const auto& [share, boundary] :
         {std::pair{"0.25", &band.quarter}, std::pair{"0.5", &band.half}, std::pair{"0.75", &band.three_quarters}})
      for (const FrontPoint& point : *boundary)
        steps.rows.push_back({key[0], key[1], key[2], share, format_significant(point.cost, 9), format_significant(point.value, 9)});
    bands[{key[0], key[1]}].push_back(band);
  }
  std::vector<Picture> pictures;
  for (const auto& [key, list] : bands) {
    const std::string title =
        key.second + (key.first.empty() ? "" : ", " + key.first) + ": attained by a quarter, half, three quarters of runs";
    pictures.push_back({"attainment-" + std::to_string(pictures.size() + 1) + ".svg", attainment_svg(title, costs[key], list)});
  }
  return pictures;
}

std::string notes(const Collection& all) {
  std::string text;
  if (all.incomplete > 0) text += std::to_string(all.incomplete) + " runs have not come to their end and are left out. ";
  return text +
         "Blocks of one problem that differ in seed alone are repetitions: what the tests say then holds for these problems and devices, "
         "not "
         "beyond them.";
}

std::string page(const std::string& title, const std::string& note, const std::vector<ReportTable>& tables,
                 const std::vector<Picture>& pictures) {
  std::string html = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>" + html_escaped(title) + "</title>\n<style>" +
                     std::string(kStyle) + "</style>\n<h1>" + html_escaped(title) + "</h1>\n<p>" + html_escaped(note) + "</p>\n";
  for (const Picture& picture : pictures) html += "<figure>" + picture.svg + "</figure>\n";
  for (const ReportTable& table : tables) html += to_html(table);
  return html + "</html>\n";
}

std::string markdown(const std::string& title, const std::string& note, const std::vector<ReportTable>& tables,
                     const std::vector<Picture>& pictures) {
  std::string text = "# " + title + "\n\n" + note + "\n\n";
  for (const ReportTable& table : tables) text += to_markdown(table) + "\n";
  for (const Picture& picture : pictures) text += "![" + picture.name + "](" + picture.name + ")\n";
  return text;
}

}  // namespace

bool is_many_runs(const std::string& directory) {
  return SweepDirectory::is_one(directory) || MergedStore::is_one(directory);
}

std::string write_sweep_report(const std::string& directory, const std::string& output, const std::string& compared) {
  std::string key = compared;
  if (key.empty() && SweepDirectory::is_one(directory)) key = compared_key(SweepDirectory(directory).file());
  ResultCollector collector(key);
  for_each_run({directory}, [&](const RunRecord& run) { collector.add(run); });
  const Collection all = std::move(collector).finish();
  if (all.results.empty())
    throw UserError(Fault{.file = directory, .expected = "no run has come to its end yet; lathe status shows how they stand"});

  const Comparison comparison = compare_methods(all);
  std::vector<ReportTable> tables{summary_table(all)};
  if (!comparison.pairs.empty()) tables.push_back(pairs_table(comparison));
  if (!comparison.ranks.mean_ranks.empty()) tables.push_back(ranks_table(all, comparison));
  ReportTable steps{.name = "attainment",
                    .caption = "Boundaries that a share of the runs attains",
                    .columns = {"problem", "device", "method", "share", "cost", "accuracy"}};
  const std::vector<Picture> pictures = attainment_pictures(all, steps);

  const std::string folder = output.empty() ? directory + "/report" : output;
  make_writable_folder(folder);
  for (const ReportTable& table : tables) {
    write_atomically(folder + "/" + table.name + ".csv", to_csv(table));
    write_atomically(folder + "/" + table.name + ".md", to_markdown(table));
    write_atomically(folder + "/" + table.name + ".tex", to_latex(table));
  }
  write_atomically(folder + "/runs.csv", to_csv(runs_table(all)));
  write_atomically(folder + "/attainment.csv", to_csv(steps));
  for (const Picture& picture : pictures) write_atomically(folder + "/" + picture.name, picture.svg);
  const std::string title = "Sweep of " + std::to_string(all.results.size()) +
                            " results: " + (all.compared.empty() ? "hypervolume" : "hypervolume by " + all.compared);
  write_atomically(folder + "/report.md", markdown(title, notes(all), tables, pictures));
  write_atomically(folder + "/report.html", page(title, notes(all), tables, pictures));
  return folder;
}

}  // namespace lathe::experiments
