// ONNX files into Networks: checked by the ONNX checker, shapes by ONNX shape inference, then normalized (see Node) with the
// arithmetic on shapes folded to constants. Opsets 11 to 21; from 18 on, what opset 17 could say too, and weights of 4 bits.
//
// The batch is the first extent of the inputs. A file that was exported for a fixed batch is opened to any batch where the network
// computes each sample on its own (this is tried on random inputs); else its batch stays as it is.
#pragma once

#include <string>

#include "models/network.h"

namespace lathe::models {

// Throws UserError: file missing or not ONNX, checker failure, opset outside 11 to 21, an operator that Lathe does not execute (all of
// them named in one error, with the node), a dynamic extent other than the batch.
Network read_onnx(const std::string& path);
// The same from memory; `label` stands for the file in messages.
Network parse_onnx(const std::string& bytes, const std::string& label);

}  // namespace lathe::models
