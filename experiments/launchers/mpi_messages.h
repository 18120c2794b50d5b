// Messages between rank 0 and those who measure, all of them texts.
#pragma once

#include <mpi.h>

#include <list>
#include <optional>
#include <string>

namespace lathe::experiments {

// JSON. Worker to rank 0: kReady ({} or {"error"}), kAnswer ({"id", "evaluation"}). Rank 0 to worker: kWork ({"id", request}), kStop
// (empty).
enum MessageTag : int { kReady = 1, kAnswer, kWork, kStop };

struct Message {
  int rank;
  MessageTag tag;
  std::string text;
};

// Thread-compatible: one thread at a time.
class Mailbox {
 public:
  // Does not wait for the other side: a text that is too long for MPI's own buffers lies here until the rank takes it, which one that
  // hangs never does.
  void send(int rank, MessageTag tag, std::string text);
  std::optional<Message> receive_if_any();
  // Also carries on what is being sent.
  Message receive();
  // Until all that was sent is on its way.
  void flush();

 private:
  struct Outgoing {
    std::string text;
    MPI_Request request;
  };
  void forget_what_is_sent();
  std::list<Outgoing> outgoing_;
};

// Between two looks for messages. MPI's own waiting keeps a processor busy, which on a shared host is taken from those who measure. A
// message more or less late by this costs nothing: measurements take milliseconds to minutes.
void pause_between_messages();

}  // namespace lathe::experiments
