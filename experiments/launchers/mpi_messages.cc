#include "experiments/launchers/mpi_messages.h"

#include <unistd.h>

namespace lathe::experiments {

void Mailbox::send(int rank, MessageTag tag, std::string text) {
  Outgoing& message = outgoing_.emplace_back(std::move(text), MPI_REQUEST_NULL);
  MPI_Isend(message.text.data(), static_cast<int>(message.text.size()), MPI_CHAR, rank, tag, MPI_COMM_WORLD, &message.request);
}

std::optional<Message> Mailbox::receive_if_any() {
  forget_what_is_sent();
  int is_there = 0;
  MPI_Status status;
  MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &is_there, &status);
  if (is_there == 0) return std::nullopt;
  int length = 0;
  MPI_Get_count(&status, MPI_CHAR, &length);
  Message message{.rank = status.MPI_SOURCE,
                  .tag = static_cast<MessageTag>(status.MPI_TAG),
                  .text = std::string(static_cast<std::size_t>(length), ' ')};
  MPI_Recv(message.text.data(), length, MPI_CHAR, message.rank, message.tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  return message;
}

Message Mailbox::receive() {
  for (;;) {
    if (std::optional<Message> message = receive_if_any()) return std::move(*message);
    pause_between_messages();
  }
}

void Mailbox::flush() {
  for (Outgoing& message : outgoing_) MPI_Wait(&message.request, MPI_STATUS_IGNORE);
  outgoing_.clear();
}

void Mailbox::forget_what_is_sent() {
  std::erase_if(outgoing_, [](Outgoing& message) {
    int is_sent = 0;
    MPI_Test(&message.request, &is_sent, MPI_STATUS_IGNORE);
    return is_sent != 0;
  });
}

void pause_between_messages() {
  constexpr useconds_t kMicroseconds = 100;
  usleep(kMicroseconds);
}

}  // namespace lathe::experiments
