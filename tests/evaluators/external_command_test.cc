#include "evaluators/external_command.h"

#include <sched.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <chrono>

#include "models/base/error.h"
#include "tests/evaluators/data_files.h"

namespace lathe::evaluators {
namespace {

using ::testing::HasSubstr;

// The user's program: `body` handles one parsed line `policy`, with `answer(...)` to reply.
class Program {
 public:
  explicit Program(const std::string& body) {
    write_bytes(folder_.path("program.py"),
                "import json, os, sys, time\n"
                "def answer(**keys):\n"
                "    print(json.dumps(keys), flush=True)\n"
                "for line in sys.stdin:\n"
                "    policy = json.loads(line)\n" +
                    body);
  }
  CommandOptions options(double timeout_seconds = 30) const {
    return {.command = {"python3", folder_.path("program.py")}, .timeout_seconds = timeout_seconds};
  }
  std::string file(const std::string& name) const { return folder_.path(name); }

 private:
  TemporaryFolder folder_;
};

EvaluationRequest request_with_bits(int bits) {
  EvaluationRequest request;
  request.policy.groups = {{.name = "conv1", .keep_ratio = 0.5, .channels = 8}};
  request.policy.layers = {{.name = "conv1", .weight_bits = bits, .weight_format = "int"}};
  return request;
}

TEST(CommandEvaluator, SendsThePolicyAndReadsTheAccuracy) {
  const Program program(
      "    ratio = policy['groups'][0]['keep_ratio']\n"
      "    answer(id=policy['id'], accuracy=ratio + policy['layers'][0]['weight_bits'] / 100, samples=200, comment='x')\n");
  const CommandEvaluator evaluator(program.options());
  const Evaluation evaluation = evaluator.evaluate(request_with_bits(4));
  ASSERT_TRUE(evaluation.is_ok) << evaluation.error;
  EXPECT_DOUBLE_EQ(evaluation.accuracy, 0.54);
  EXPECT_EQ(evaluation.samples, 200);
  EXPECT_EQ(evaluation.interval, wilson_interval(108, 200));
  EXPECT_TRUE(evaluation.correct.empty());
}

TEST(CommandEvaluator, SendsExactlyTheProtocolsKeys) {
  const Program program("    answer(id=policy['id'], accuracy=1 if sorted(policy) == ['groups', 'id', 'layers'] else 0)\n");
  const CommandEvaluator evaluator(program.options());
  EXPECT_EQ(evaluator.evaluate(request_with_bits(4)).accuracy, 1);
  EvaluationRequest test = request_with_bits(4);
  test.split = Split::kTest;
  EXPECT_EQ(evaluator.evaluate(test).accuracy, 0) << "the reported split is named";
}

TEST(CommandEvaluator, KeepsOneProcessForSerialRequests) {
  const Program program("    answer(id=policy['id'], accuracy=1.0 / os.getpid())\n");
  const CommandEvaluator evaluator(program.options());
  const double first = evaluator.evaluate(request_with_bits(4)).accuracy;
  EXPECT_GT(first, 0);
  EXPECT_EQ(evaluator.evaluate(request_with_bits(8)).accuracy, first);
}

TEST(CommandEvaluator, AnswersEachOfManyThreads) {
  const Program program("    answer(id=policy['id'], accuracy=policy['layers'][0]['weight_bits'] / 100)\n");
  const CommandEvaluator evaluator(program.options());
  std::vector<double> accuracies(32);
  tbb::task_arena(4).execute([&] {
    tbb::parallel_for(0, 32, [&](int i) { accuracies[static_cast<std::size_t>(i)] = evaluator.evaluate(request_with_bits(i)).accuracy; });
  });
  for (int i = 0; i < 32; ++i) EXPECT_DOUBLE_EQ(accuracies[static_cast<std::size_t>(i)], i / 100.0);
}

TEST(CommandEvaluator, PassesOnTheProgramsOwnError) {
  const Program program("    answer(id=policy['id'], error='no such layer: conv1')\n");
  const Evaluation evaluation = CommandEvaluator(program.options()).evaluate(request_with_bits(4));
  EXPECT_FALSE(evaluation.is_ok);
  EXPECT_EQ(evaluation.error, "no such layer: conv1");
}

struct BadProgram {
  const char* name;
  const char* body;
  const char* message;
};

class CommandEvaluatorFaults : public testing::TestWithParam<BadProgram> {};

// The fault comes at 4 bits; the next request must be answered by a new process.
TEST_P(CommandEvaluatorFaults, IsAFailedEvaluationAndTheProgramStartsAnew) {
  const Program program(std::string("    if policy['layers'][0]['weight_bits'] == 4:\n        ") + GetParam().body +
                        "\n    else:\n        answer(id=policy['id'], accuracy=0.5)\n");
  const CommandEvaluator evaluator(program.options(/*timeout_seconds=*/2));
  const Evaluation failed = evaluator.evaluate(request_with_bits(4));
  EXPECT_FALSE(failed.is_ok);
  EXPECT_THAT(failed.error, HasSubstr(GetParam().message));
  const Evaluation next = evaluator.evaluate(request_with_bits(8));
  EXPECT_TRUE(next.is_ok) << next.error;
  EXPECT_EQ(next.accuracy, 0.5);
}

INSTANTIATE_TEST_SUITE_P(
    Programs, CommandEvaluatorFaults,
    testing::Values(BadProgram{"Exits", "sys.exit(3)", "exit status 3"}, BadProgram{"Dies", "os.kill(os.getpid(), 11)", "signal 11"},
                    BadProgram{"Hangs", "time.sleep(1000)", "no answer in time"},
                    BadProgram{"WritesGarbage", "print('epoch 1 done', flush=True)", "epoch 1 done"},
                    BadProgram{"WritesHalfALine", "sys.stdout.write('{\"id\"'); sys.stdout.flush(); time.sleep(1000)", "no answer in time"},
                    BadProgram{"AnswersAnotherId", "answer(id=99, accuracy=1)", "does not answer id 0"},
                    BadProgram{"HasNoAccuracy", "answer(id=policy['id'])", "no number 'accuracy'"},
                    BadProgram{"IsOverOne", "answer(id=policy['id'], accuracy=91.5)", "not in [0, 1]"},
                    BadProgram{"IsNaN", "answer(id=policy['id'], accuracy=float('nan'))", "NaN"},
                    BadProgram{"ClosesItsOutput", "os.close(1); time.sleep(1000)", "closed its output"}),
    [](const auto& info) { return info.param.name; });

// A line longer than a pipe holds, to a program that does not read: neither side may block for ever.
TEST(CommandEvaluator, DoesNotBlockOnAProgramThatNeverReads) {
  EvaluationRequest request = request_with_bits(4);
  request.policy.groups[0].kept.assign(200000, 7);
  const CommandEvaluator evaluator({.command = {"sleep", "1000"}, .timeout_seconds = 0.3});
  const Evaluation evaluation = evaluator.evaluate(request);
  EXPECT_THAT(evaluation.error, HasSubstr("no answer in time"));
}

TEST(CommandEvaluator, SurvivesAProgramThatClosesItsInput) {
  const CommandEvaluator evaluator({.command = {"true"}, .timeout_seconds = 5});
  for (int i = 0; i < 3; ++i) EXPECT_THAT(evaluator.evaluate(request_with_bits(4)).error, HasSubstr("exit status 0"));
}

// What the program started must not outlive the evaluator: the grandchild keeps a pipe open, and we wait for its end.
TEST(CommandEvaluator, EndsWhatTheProgramStarted) {
  TemporaryFolder folder;
  write_bytes(folder.path("run.sh"), "sleep 1000 &\necho $! > " + folder.path("pid") + "\nsleep 1000\n");
  { EXPECT_FALSE(CommandEvaluator({.command = {"sh", folder.path("run.sh")}, .timeout_seconds = 1}).evaluate(request_with_bits(4)).is_ok); }
  std::ifstream in(folder.path("pid"));
  int pid = 0;
  ASSERT_TRUE(in >> pid);
  // A killed orphan may still be a zombie until its new parent has reaped it; and a busy machine may take a moment to end it.
  const auto ended = [&] {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string number, name, state = "gone";
    stat >> number >> name >> state;
    return state == "gone" || state == "Z" || state == "X";
  };
  constexpr int kPatience = 10'000'000;  // yields of the processor: seconds
  for (int i = 0; i < kPatience && !ended(); ++i) sched_yield();
  EXPECT_TRUE(ended());
}

TEST(CommandEvaluator, RejectsBadOptions) {
  const auto error = [](const CommandOptions& options) -> std::string {
    try {
      CommandEvaluator evaluator(options);
    } catch (const UserError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(error({}), HasSubstr("a program and its arguments"));
  EXPECT_THAT(error({.command = {"no-such-program-anywhere"}}), AllOf(HasSubstr("can be run"), HasSubstr("no-such-program-anywhere")));
  EXPECT_THAT(error({.command = {"/etc/passwd"}}), HasSubstr("/etc/passwd"));
  EXPECT_THAT(error({.command = {"true"}, .timeout_seconds = 0}), HasSubstr("timeout_seconds"));
}

}  // namespace
}  // namespace lathe::evaluators
