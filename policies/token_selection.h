// Dropping tokens between the attention and the feed-forward part of a Transformer's block, so that all that follows works on fewer.
//
// Source: S. Goyal et al., PoWER-BERT: Accelerating BERT Inference via Progressive Word-vector Elimination, ICML 2020, sections 3.1 and
// 3.3. Of the n tokens that attention of heads h gives the probabilities A_h[query, key], those k stay that have the highest
//     significance(w) = sum over h, over queries w' of A_h[w', w].
// The first token (the classifier's) always stays, and those that stay keep their order. Padding comes last by itself: nothing attends to
// it. Departure from the paper: where the network adds a mask M to the scores, queries that are padding do not vote (each is multiplied by
// exp(M), which is 1 or 0): in rows that are mostly padding they would be the majority. k is the same for all inputs, hence shapes stay
// fixed; which tokens stay depends on the input.
//
// A network that went through `insert_token_selections` holds two operators of our own wherever tokens can be dropped. Here they drop
// nothing: they mark the place, so that the number of tokens behind it is a dimension of its own in coupling analysis (see
// coupling_groups.h), and with it a pruning decision. `lower_token_selections` leaves plain ONNX.
#pragma once

#include "models/network.h"

namespace lathe::policies {

inline constexpr const char* kTokenScores = "TokenScores";
inline constexpr const char* kSelectTokens = "SelectTokens";

bool is_token_scores(const models::Node& node);
bool is_select_tokens(const models::Node& node);

// Marks one place for each self-attention: a Softmax over the last axis of [N, heads, L, L], and behind it the first value [N, L, width]
// that all it leads to goes through (the residual sum), apart from values of one number a token that were there before (masks), which lose
// the same tokens. Attention without such a place, or of two sequences, is left as it is. The network computes what it did.
models::Network insert_token_selections(models::Network network);

// A place behind which the shape of the selected value has fewer tokens than before it (see prune.h) becomes Exp, MatMul, ReduceSum, TopK
// and gathers; all others go. Values keep their ids.
models::Network lower_token_selections(models::Network network);

}  // namespace lathe::policies
