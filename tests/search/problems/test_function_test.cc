#include "search/problems/test_function.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/base/error.h"
#include "search/constraints.h"
#include "search/hypervolume.h"
#include "search/pareto.h"
#include "search/standard_problems.h"

namespace lathe::search {
namespace {

struct Reference {
  std::string name;
  int dims;
  std::vector<double> values;  // objectives, then constraints
};

// Origin: pymoo 0.6.2, get_problem(name, n_var, n_obj).evaluate at the point whose coordinate i lies at ((37 i + 11) mod 101) / 101 of its
// range; disc_brake: BoTorch 0.18.1, DiscBrake.evaluate_true and minus evaluate_slack_true. WFG and DTLZ with three objectives, those of 8
// variables in WFG with two.
const Reference kReferences[] = {
    {"zdt1", 8, {0.10891089108910891, 5.348684668662119}},
    {"zdt2", 8, {0.10891089108910891, 6.166393846447243}},
    {"zdt3", 8, {0.10891089108910891, 5.378776936585476}},
    {"zdt4", 8, {0.10891089108910891, 123.36496374869344}},
    {"zdt6", 8, {0.687076525481205, 8.781207704611012}},
    {"dtlz1", 8, {16.93228568093557, 18.69606543936636, 291.5046909842885}},
    {"dtlz2", 8, {1.0625359759838024, 0.9829645693358936, 0.2500749495855585}},
    {"dtlz3", 8, {473.2586309254914, 437.8171439338274, 111.38458456434122}},
    {"dtlz4", 8, {1.4689246152338007, 1.135287209084318e-32, 1.175575490967973e-96}},
    {"dtlz5", 8, {1.0361486453982667, 1.0107413266849667, 0.2500749495855585}},
    {"dtlz6", 8, {4.767706854471329, 4.462855653397489, 1.1282546347224907}},
    {"dtlz7", 8, {0.10891089108910891, 0.4752475247524752, 21.735540410896398}},
    {"wfg1", 10, {2.8438255404297883, 0.9797461816193294, 0.9917678946776001}},
    {"wfg2", 10, {0.7690662424259864, 0.812700594084661, 6.675703251495915}},
    {"wfg3", 10, {1.0049319400678858, 1.2665296932875048, 4.95021699972195}},
    {"wfg4", 10, {0.7595185268467254, 1.5097199876681224, 5.996652878355206}},
    {"wfg5", 10, {1.5773819960134334, 2.9637289050453757, 4.210542887731949}},
    {"wfg6", 10, {1.9517447163180417, 1.6509123761527795, 5.389405503508158}},
    {"wfg7", 10, {1.137256451455861, 1.6610896708692717, 5.848362796949198}},
    {"wfg8", 10, {1.3062143151808, 1.8590166820969487, 6.035545278753861}},
    {"wfg9", 10, {2.0777084027681676, 3.0579882880747578, 3.4555671052888517}},
    {"wfg1", 8, {2.916003077964037, 0.9867117192550522}},
    {"wfg2", 8, {1.0226066774058205, 3.019679341830898}},
    {"wfg3", 8, {1.4417908823849417, 2.9912958328799917}},
    {"wfg9", 8, {2.4316854441840245, 3.088694831150113}},
    {"bnh", 2, {9.317125771983138, 32.626311145966085, -0.12465052445838637, -8.762450078105406}},
    {"osy",
     6,
     {-52.503872169395144, 143.73551612587, -1.9207920792079207, -0.026402640264026427, 0.8316831683168315, -7.584158415841584,
      -0.22139986275855345, -1.373541809626507}},
    {"tnk", 2, {0.34215365534146264, 1.4930341323991094, -1.4356990385798927, 1.0220645132634276}},
    {"welded_beam",
     4,
     {10.969412311280088, 0.0032162869641284156, -0.5749151601731247, -0.792458831684298, -0.09900990099009899, -101.33479585657194}},
    {"truss2d", 3, {0.018854288149386722, 32964.69568106002, -67035.30431893998}},
    {"disc_brake",
     4,
     {2.946164771144549, 2.495497396724644, -13.910891089108908, -0.23128444448094918, -0.8659946245747138, -103773.32097514604}},
    {"carside",
     7,
     {28.1297540990099, 4.142307200274483, 11.914674495760218, -0.08342591627291451, -0.1988667641468973, -0.2693770094690474,
      -0.00966164312935014, -0.012686456707675875, -0.030669306823473352, 0.09251833230198026, 0.03557680006862074, -0.027344508584521865,
      -0.09553760340718453}},
};

TEST(TestFunctions, HaveTheValuesOfPymooAndBotorch) {
  for (const Reference& reference : kReferences) {
    SCOPED_TRACE(reference.name + " of " + std::to_string(reference.dims));
    const bool has_constraints = engineering_function(reference.name).has_value();
    const int variant = reference.name.back() - '0', objectives = static_cast<int>(reference.values.size());
    const TestFunction function = has_constraints                      ? *engineering_function(reference.name)
                                  : reference.name.starts_with("zdt")  ? zdt_function(variant, reference.dims)
                                  : reference.name.starts_with("dtlz") ? dtlz_function(variant, reference.dims, objectives)
                                                                       : wfg_function(variant, reference.dims, objectives);
    ASSERT_EQ(function.lower.size(), static_cast<std::size_t>(reference.dims));
    std::vector<double> x;
    for (int i = 0; i < reference.dims; ++i) {
      const auto d = static_cast<std::size_t>(i);
      x.push_back(function.lower[d] + (37 * i + 11) % 101 / 101.0 * (function.upper[d] - function.lower[d]));
    }
    const std::vector<double> values = function.evaluate(x);
    ASSERT_EQ(values.size(), reference.values.size());
    EXPECT_EQ(function.objectives() + function.constraints, static_cast<int>(values.size()));
    // The same arithmetic in another order: a few ulps, which cancellation in sums of about 100 terms magnifies.
    for (std::size_t k = 0; k < values.size(); ++k)
      EXPECT_NEAR(values[k], reference.values[k], 1e-11 * (1 + std::abs(reference.values[k])));
  }
}

// BoTorch, test_functions/multi_objective.py: the largest hypervolumes of ZDT1 to ZDT3 are 120 2/3, 120 1/3 and 128.778116 for the
// reference point (11, 11); the Pareto set is x_2 = x_3 = ... = 0. A thousand points of it come close from below.
TEST(TestFunctions, ParetoSetsHaveThePublishedHypervolumes) {
  const std::pair<int, double> kLargest[] = {{1, 120 + 2.0 / 3}, {2, 120 + 1.0 / 3}, {3, 128.77811613069076}};
  for (const auto& [variant, largest] : kLargest) {
    const TestFunction function = zdt_function(variant, 6);
    std::vector<Point> points;
    constexpr int kPoints = 4000;
    for (int i = 0; i <= kPoints; ++i) points.push_back(function.evaluate({static_cast<double>(i) / kPoints, 0, 0, 0, 0, 0}));
    const double reached = hypervolume(points, function.reference_point);
    EXPECT_LT(reached, largest + 1e-9);
    EXPECT_GT(reached, largest - 2e-3) << "of ZDT" << variant;
  }
}

TEST(StandardProblems, TellTheAgentsAsMuchAsIsAskedFor) {
  const policies::Candidate candidate{{3, 7, 0, 1}};
  const TestFunction function = *engineering_function("welded_beam");
  const StandardProblem black_box = make_function_problem(function, 11, KnownMetrics::kNone);
  const StandardProblem composite = make_function_problem(function, 11, KnownMetrics::kAllButLastObjective);
  EXPECT_EQ(black_box.problem.metrics.size(), 6U);
  EXPECT_EQ(black_box.problem.fronts[0].limited.size(), 4U);
  const std::vector<double> unknown = score_exactly(black_box.problem, candidate).metrics;
  EXPECT_TRUE(std::all_of(unknown.begin(), unknown.end(), [](double v) { return std::isnan(v); }));
  std::vector<double> all{black_box.measured(candidate)};
  for (const double value : black_box.further(candidate)) all.push_back(value);
  const std::vector<double> known = score_exactly(composite.problem, candidate).metrics;
  for (std::size_t m = 0; m < all.size(); ++m) {
    if (m == 1) {
      EXPECT_TRUE(std::isnan(known[m]));
      EXPECT_EQ(composite.measured(candidate), all[m]);
    } else {
      EXPECT_EQ(known[m], all[m]);
    }
  }
}

TEST(StandardProblems, NamesWhatIsWrong) {
  const auto message_of = [](const std::string& name, const StandardProblemOptions& options) {
    try {
      make_standard_problem(name, options);
    } catch (const UserError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_NE(message_of("zdt5", {}).find("zdt1-4"), std::string::npos);
  EXPECT_NE(message_of("dtlz2", {.dims = 2}).find("number of objectives"), std::string::npos);
  EXPECT_NE(message_of("wfg2", {.dims = 9}).find("even"), std::string::npos);
  EXPECT_EQ(message_of("wfg4", {.dims = 10}), "accepted");
}

}  // namespace
}  // namespace lathe::search
