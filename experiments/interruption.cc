#include "experiments/interruption.h"

#include <csignal>

namespace lathe::experiments {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void note(int) {
  interrupted = 1;
}

}  // namespace

void watch_for_interruption() {
  struct sigaction action {};
  action.sa_handler = note;
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGUSR1, &action, nullptr);
}

bool is_interrupted() {
  return interrupted != 0;
}

}  // namespace lathe::experiments
