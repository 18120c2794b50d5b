// Checks of our own invariants. A failed check prints both values and aborts, in release builds too: a wrong shape that goes on
// computing costs far more than the comparison. User input is never checked with these; see error.h.
#pragma once

#include <cstdlib>
#include <iostream>
#include <sstream>

namespace lathe::base {

// Collects the message of a failed check and aborts when destroyed.
class CheckFailure {
 public:
  CheckFailure(const char* file, int line, const char* claim) { message_ << file << ':' << line << ": check failed: " << claim << ' '; }
  CheckFailure(const CheckFailure&) = delete;
  CheckFailure& operator=(const CheckFailure&) = delete;
  [[noreturn]] ~CheckFailure() {
    std::cerr << message_.str() << std::endl;
    std::abort();
  }
  std::ostream& stream() { return message_; }

 private:
  std::ostringstream message_;
};

// Lets the conditional operator of LATHE_CHECK have type void on both sides.
struct CheckVoidify {
  void operator&(std::ostream&) const {}
};

}  // namespace lathe::base

#define LATHE_CHECK(claim) \
  (claim) ? (void)0 : ::lathe::base::CheckVoidify() & ::lathe::base::CheckFailure(__FILE__, __LINE__, #claim).stream()
#define LATHE_CHECK_OP(a, op, b) LATHE_CHECK((a)op(b)) << "(" << (a) << " against " << (b) << ") "
#define LATHE_CHECK_EQ(a, b) LATHE_CHECK_OP(a, ==, b)
#define LATHE_CHECK_NE(a, b) LATHE_CHECK_OP(a, !=, b)
#define LATHE_CHECK_LT(a, b) LATHE_CHECK_OP(a, <, b)
#define LATHE_CHECK_LE(a, b) LATHE_CHECK_OP(a, <=, b)
#define LATHE_CHECK_GT(a, b) LATHE_CHECK_OP(a, >, b)
#define LATHE_CHECK_GE(a, b) LATHE_CHECK_OP(a, >=, b)

#ifdef NDEBUG
#define LATHE_DCHECK(claim) \
  while (false) LATHE_CHECK(claim)
#else
#define LATHE_DCHECK(claim) LATHE_CHECK(claim)
#endif
