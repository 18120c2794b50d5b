// LATHE_VECTOR_VERSIONS before a function compiles it for wider vectors as well, where the compiler can choose between versions when the
// program starts. For inner loops of floats that no library call hides; what they inline is widened with them.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define LATHE_VECTOR_VERSIONS __attribute__((target_clones("avx2", "default")))
#else
#define LATHE_VECTOR_VERSIONS
#endif
