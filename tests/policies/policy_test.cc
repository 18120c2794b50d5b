#include "policies/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "models/base/error.h"

namespace lathe::policies {
namespace {

using ::testing::HasSubstr;

// The example of docs: one group, one layer, every kind of metric.
constexpr const char* kExample = R"({"format": "lathe.policy", "version": 1,
 "model": {"name": "resnet20", "sha256": "abc"},
 "groups": [{"name": "layer1.0.conv1", "keep_ratio": 0.5, "channels": 8, "criterion": "l1", "kept": [0, 2, 3, 5, 9, 11, 12, 15]}],
 "layers": [{"name": "layer1.0.conv1", "weight_bits": 4, "weight_format": "int", "weight_granularity": "channel",
             "activation_bits": 8, "activation_format": "int", "dynamic": false, "sparsity": 0.0, "pattern": "dense"}],
 "metrics": {"accuracy": {"value": 0.912, "kind": "measured", "split": "test", "samples": 5000, "interval": [0.904, 0.919]},
             "latency_ms": {"raspberry-pi-4": {"value": 3.1, "kind": "predicted", "interval": [2.8, 3.4]}}, "energy_mj": {}, "size_bytes": 81234}})";

std::string message_of(const std::string& text) {
  try {
    parse_policy(text, "p.json");
  } catch (const UserError& error) {
    return error.what();
  }
  return "accepted";
}

// A file whose only group, or layer, is `entry`.
std::string with_group(const std::string& entry) {
  return R"({"format":"lathe.policy","version":1,"groups":[)" + entry + "]}";
}
std::string with_layer(const std::string& entry) {
  return R"({"format":"lathe.policy","version":1,"layers":[)" + entry + "]}";
}

TEST(Policy, ReadsTheDocumentedExample) {
  const Policy policy = parse_policy(kExample, "p.json");
  EXPECT_EQ(policy.model_name, "resnet20");
  ASSERT_EQ(policy.groups.size(), 1u);
  EXPECT_EQ(policy.groups[0].channels, 8);
  EXPECT_EQ(policy.groups[0].kept, (std::vector<std::int64_t>{0, 2, 3, 5, 9, 11, 12, 15}));
  ASSERT_EQ(policy.layers.size(), 1u);
  EXPECT_EQ(policy.layers[0].weight_bits, 4);
  EXPECT_EQ(policy.layers[0].weight_format, "int");
  ASSERT_TRUE(policy.metrics.accuracy.has_value());
  EXPECT_DOUBLE_EQ(policy.metrics.accuracy->interval->second, 0.919);
  EXPECT_DOUBLE_EQ(policy.metrics.latency_ms.at("raspberry-pi-4").value, 3.1);
  EXPECT_EQ(policy.metrics.size_bytes, 81234);
  EXPECT_FALSE(policy.metrics.packed_bytes.has_value());
}

TEST(Policy, WrittenFileReadsBackEqual) {
  Policy policy = parse_policy(kExample, "p.json");
  policy.layers.push_back({.name = "l\"2\u00e9", .weight_bits = 16, .weight_format = "bfloat"});
  policy.groups.push_back({.name = "g2", .keep_ratio = 1.0 / 3});
  const std::string path = (std::filesystem::temp_directory_path() / "lathe_policy_test.json").string();
  write_policy(policy, path);
  EXPECT_EQ(read_policy(path), policy);
  std::filesystem::remove(path);
}

TEST(Policy, FormatFollowsFromBitsWhereLeftOut) {
  const Policy policy = parse_policy(with_layer(R"({"name":"a","weight_bits":4,"activation_bits":16})"), "p");
  EXPECT_EQ(policy.layers[0].weight_format, "int");
  EXPECT_EQ(policy.layers[0].activation_format, "float");
  const Policy bfloat = parse_policy(with_layer(R"({"name":"a","weight_format":"bfloat"})"), "p");
  EXPECT_EQ(bfloat.layers[0].weight_bits, 16);
}

TEST(Policy, RequestHoldsGroupsAndLayersOnly) {
  const auto request = nlohmann::json::parse(R"({"id": 7, "groups": [{"name":"g","keep_ratio":0.5}], "layers": []})");
  EXPECT_EQ(policy_from_json(request, "stdin", PolicyDocument::kRequest).groups[0].name, "g");
  const auto file = nlohmann::json::parse(R"({"id": 7, "format": "lathe.policy"})");
  EXPECT_THROW(policy_from_json(file, "stdin", PolicyDocument::kRequest), UserError);
}

TEST(Policy, FaultsNameTheKeyAndWhatWasExpected) {
  const std::pair<std::string, std::string> cases[] = {
      {with_group(R"({"name":"g","keep_ration":0.5})"), "p.json: groups[0].keep_ration: unknown key; did you mean 'keep_ratio'?"},
      {with_group(R"({"name":"g","keep_ratio":"half"})"), "groups[0].keep_ratio: expected a number, got 'half'"},
      {with_group(R"({"name":"g","keep_ratio":0})"), "groups[0].keep_ratio: expected a number above 0 and at most 1, got '0.0'"},
      {with_group(R"({"name":"g","keep_ratio":1.5})"), "expected a number above 0 and at most 1"},
      {with_group(R"({"name":"g"})"), "expected `keep_ratio`, `channels` or `kept`"},
      {with_group(R"({"keep_ratio":0.5})"), "groups[0].name: missing"},
      {with_group(R"({"name":7,"keep_ratio":0.5})"), "groups[0].name: expected text, got '7'"},
      {with_group(R"({"name":"g","channels":0})"), "groups[0].channels: expected a whole number of at least 1, got '0'"},
      {with_group(R"({"name":"g","channels":2.5})"), "groups[0].channels: expected a whole number"},
      {with_group(R"({"name":"g","channels":18446744073709551615})"), "groups[0].channels: expected a whole number"},
      {with_group(R"({"name":"g","keep_ratio":0.5,"criterion":"tailor"})"), "attention (did you mean 'taylor'?), got 'tailor'"},
      {with_group(R"({"name":"g","kept":[3,1]})"), "groups[0].kept[1]: expected ascending channel indices, got '1'"},
      {with_group(R"({"name":"g","kept":[1,1]})"), "groups[0].kept[1]: channel index given twice, got '1'"},
      {with_group(R"({"name":"g","kept":[-1]})"), "groups[0].kept[0]: expected a channel index of at least 0, got '-1'"},
      {with_group(R"({"name":"g","kept":[]})"), "groups[0].kept: expected at least one channel index"},
      {with_group(R"({"name":"g","channels":3,"kept":[0,1]})"), "groups[0].kept: expected 3 indices, as `channels` says, got '2'"},
      {with_group(R"({"name":"g","keep_ratio":1},{"name":"g","keep_ratio":1})"), "groups[1].name: name given twice, got 'g'"},
      {with_group("5"), "groups[0]: expected an object {...}, got '5'"},
      {with_layer(R"({"name":"a","weight_bits":9})"), "layers[0].weight_bits: expected one of 8, 16, 32 for format float, got '9'"},
      {with_layer(R"({"name":"a","weight_bits":1})"),
       "layers[0].weight_bits: expected one of 2, 3, 4, 5, 6, 7, 8, 16 for format int, got '1'"},
      {with_layer(R"({"name":"a","weight_bits":16,"weight_format":"tf32"})"), "expected one of 32 for format tf32, got '16'"},
      {with_layer(R"({"name":"a","weight_bits":16,"weight_format":"pow2"})"), "expected one of 2, 3, 4, 5, 6, 7, 8 for format pow2"},
      {with_layer(R"({"name":"a","activation_format":"integer"})"),
       "layers[0].activation_format: expected one of int, float, bfloat, tf32, pow2"},
      {with_layer(R"({"name":"a","weight_granularity":"chanel"})"), "did you mean 'channel'?"},
      {with_layer(R"({"name":"a","dynamic":1})"), "layers[0].dynamic: expected true or false, got '1'"},
      {with_layer(R"({"name":"a","sparsity":1})"), "layers[0].sparsity: expected a number of at least 0 and below 1"},
      {with_layer(R"({"name":"a","sparsity":0.5})"), "layers[0].pattern: expected a sparse pattern"},
      {with_layer(R"({"name":"a","sparsity":0.6,"pattern":"2:4"})"), "layers[0].sparsity: expected 0.5"},
      {with_layer(R"({"name":"a","pattern":"3:4"})"), "layers[0].pattern: expected one of dense, unstructured, 2:4"},
      {"[]", "p.json: expected a policy object {...}, got '[]'"},
      {"{}", "format: missing; expected \"lathe.policy\""},
      {R"({"format":"lathe.policy","version":2})", "version: expected 1, got '2'"},
      {R"({"format":"lathe.policy","version":1,"layers":{}})", "layers: expected a list [...], got '{}'"},
      {R"({"format":"lathe.policy","version":1,"metrics":{"accuracy":{"value":1,"interval":[1]}}})",
       "metrics.accuracy.interval: expected [low, high]"},
      {R"({"format":"lathe.policy","version":1,"metrics":{"latency_ms":{"pi":{"kind":"measured"}}}})",
       "metrics.latency_ms.pi.value: missing"},
      {R"({"format":"lathe.policy","version":1,"version":1})", "version: key given twice in one object"},
  };
  for (const auto& [text, expected] : cases) EXPECT_THAT(message_of(text), HasSubstr(expected)) << text;
}

TEST(Policy, AllFaultsAreReportedAtOnce) {
  const std::string message = message_of(with_group(R"({"name":"g","keep_ratio":2,"criterion":"x","extra":1})"));
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 2) << message;
}

TEST(Policy, SyntaxErrorNamesTheLine) {
  EXPECT_THAT(message_of("{\"format\": \"lathe.policy\",\n \"version\": 1,\n \"groups\": [}\n"),
              HasSubstr("p.json:3: not valid JSON: syntax error"));
  EXPECT_THAT(message_of(""), HasSubstr("p.json:1: not valid JSON"));
  EXPECT_THAT(message_of("{\"a\": 1e999}"), HasSubstr("not valid JSON"));
}

TEST(Policy, UnreadableAndUnwritablePlacesAreTheUsersError) {
  EXPECT_THROW(read_policy("/nonexistent/p.json"), UserError);
  EXPECT_THROW(read_policy("/"), UserError);
  EXPECT_THROW(write_policy({}, "/nonexistent/p.json"), UserError);
}

}  // namespace
}  // namespace lathe::policies
