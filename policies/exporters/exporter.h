// Policies in other tools' formats. An exporter is a pure function from a policy and a network to the bytes of a file; the registry names
// all of them. Adding one: a pair of files here and a line in exporter_registry.cc, or `register_exporter` from a program of your own.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/network.h"
#include "policies/policy.h"

namespace lathe::policies {

// What `lathe export --list` says of a format.
struct ExportFormat {
  std::string name;         // "aimet"
  std::string opened_by;    // tool and the call that loads the file
  std::string tested_with;  // tool and version of the test that loads it
  std::string carries;
  std::string loses;             // of what a policy can say; "" = nothing
  bool needs_delivered = false;  // ranges, scales or trained weights, as a run directory and `lathe compress` hold them
};

struct ExportSource {
  Policy policy;
  // Where the format needs it the delivered network, with QuantizeLinear/DequantizeLinear; else the float one that the policy is of,
  // prepared for pruning.
  models::Network network;
};

struct Export {
  std::string bytes;
  std::map<std::string, std::string> companions;  // further files: ending that replaces the file's own (".onnx") -> bytes
  std::vector<std::string> notes;                 // what of this very policy the format could not carry, a sentence each
};

class Exporter {
 public:
  virtual ~Exporter() = default;
  virtual const ExportFormat& format() const = 0;
  // Deterministic. Throws UserError where the policy cannot be expressed at all or names what the network lacks; what is merely lost
  // becomes a note.
  virtual Export write(const ExportSource& source) const = 0;
};

// All that are known, in the order of registration (built-in ones first).
std::vector<const Exporter*> exporters();
// Throws UserError with the nearest spelling.
const Exporter& find_exporter(const std::string& name);
// From outside the library, before the first export; a name that is taken is a check failure.
void register_exporter(std::unique_ptr<Exporter> exporter);

}  // namespace lathe::policies
