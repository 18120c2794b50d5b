// Errors that the user can mend: a wrong key in a YAML file, an ONNX operator that Lathe does not know, a missing file.
// Thrown where found, caught in `main` alone, printed as one line a fault, exit status 2.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace lathe {

// One thing that is wrong in the user's input. Empty fields (line 0) are left out of the message.
struct Fault {
  std::string file;      // as the user wrote it
  int line = 0;          // from 1; 0 = unknown
  std::string key;       // "search.agents[0].kind", or the name of an ONNX node
  std::string expected;  // "expected one of ddpg, bayes, nsga2, quasi_random"
  std::string got;       // the offending text

  bool operator==(const Fault&) const = default;
};

// "FILE:LINE: KEY: expected EXPECTED, got 'GOT'"; each part is left out where empty.
std::string to_string(const Fault& fault);

// One or more faults of the user's input. what() holds one line a fault.
class UserError : public std::runtime_error {
 public:
  explicit UserError(Fault fault);
  explicit UserError(std::vector<Fault> faults);
  // A fault that has no file or key: the message is printed as it is.
  explicit UserError(const std::string& message);

  const std::vector<Fault>& faults() const { return faults_; }

 private:
  std::vector<Fault> faults_;
};

// The legal word nearest to `word` by edit distance, or "" where none is near; for "did you mean" hints.
std::string nearest_spelling(const std::string& word, const std::vector<std::string>& legal);

}  // namespace lathe
