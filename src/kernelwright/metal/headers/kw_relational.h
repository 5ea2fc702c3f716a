// Relational functions (<metal_relational>): questions about numbers, and choices between them.
#pragma once
#include "kw_math.h"

namespace kw {
// vec<bool, N> for a vector of numbers that math functions take.
template <class V>
using bools_of = enable<has_math<typename shape<V>::element>, metal::vec<bool, shape<V>::size>>;
}  // namespace kw

namespace metal {
#define KW_QUESTION_1(name, ...)                                                                 \
  KW_FUNC constexpr bool name(float x) { return __VA_ARGS__; }                                   \
  KW_FUNC constexpr bool name(half narrow) {                                                     \
    const float x = narrow;                                                                      \
    return __VA_ARGS__;                                                                          \
  }                                                                                              \
  template <class A, class V = kw::vector_of<A>, class Bools = kw::bools_of<V>>                  \
  KW_FUNC constexpr Bools name(const A& a) {                                                     \
    const V x(a);                                                                                \
    Bools result{};                                                                              \
    for (int i = 0; i < kw::shape<V>::size; ++i) result.e[i] = name(x.e[i]);                     \
    return result;                                                                               \
  }
KW_QUESTION_1(isnan, x != x)
KW_QUESTION_1(isinf, __builtin_fabsf(x) == __builtin_inff())
KW_QUESTION_1(isfinite, __builtin_fabsf(x) < __builtin_inff())
KW_QUESTION_1(signbit, __builtin_bit_cast(uint, x) >> 31)
#undef KW_QUESTION_1
// Each type has a smallest normal number of its own.
KW_FUNC constexpr bool isnormal(float x) { return isfinite(x) && fabs(x) >= numeric_limits<float>::min(); }
KW_FUNC constexpr bool isnormal(half x) { return isfinite(x) && fabs(x) >= numeric_limits<half>::min(); }
template <class A, class V = kw::vector_of<A>, class Bools = kw::bools_of<V>>
KW_FUNC constexpr Bools isnormal(const A& a) {
  const V x(a);
  Bools result{};
  for (int i = 0; i < kw::shape<V>::size; ++i) result.e[i] = isnormal(x.e[i]);
  return result;
}

#define KW_QUESTION_2(name, ...)                                                                 \
  KW_FUNC constexpr bool name(float x, float y) { return __VA_ARGS__; }                          \
  KW_FUNC constexpr bool name(half x, half y) { return __VA_ARGS__; }                            \
  template <class A, class B, class V = kw::vector_of<A, B>, class Bools = kw::bools_of<V>>      \
  KW_FUNC constexpr Bools name(const A& a, const B& b) {                                         \
    const V x(a), y(b);                                                                          \
    Bools result{};                                                                              \
    for (int i = 0; i < kw::shape<V>::size; ++i) result.e[i] = name(x.e[i], y.e[i]);             \
    return result;                                                                               \
  }
KW_QUESTION_2(isordered, x == x && y == y)
KW_QUESTION_2(isunordered, x != x || y != y)
#undef KW_QUESTION_2

KW_FUNC constexpr bool all(bool x) { return x; }
KW_FUNC constexpr bool any(bool x) { return x; }
template <int N>
KW_FUNC constexpr bool all(const vec<bool, N>& x) {
  bool result = true;
  for (int i = 0; i < N; ++i) result = result && x.e[i];
  return result;
}
template <int N>
KW_FUNC constexpr bool any(const vec<bool, N>& x) {
  bool result = false;
  for (int i = 0; i < N; ++i) result = result || x.e[i];
  return result;
}

// select(a, b, c) is c ? b : a.
#define KW_SELECT(T) \
  KW_FUNC constexpr T select(T a, T b, bool c) { return c ? b : a; }
KW_SELECT(bool)
KW_SELECT(char)
KW_SELECT(int8_t)
KW_SELECT(uchar)
KW_SELECT(short)
KW_SELECT(ushort)
KW_SELECT(int)
KW_SELECT(uint)
KW_SELECT(long)
KW_SELECT(ulong)
KW_SELECT(half)
KW_SELECT(float)
KW_SELECT(bfloat)
#undef KW_SELECT
template <class A, class B, class V = kw::vector_of<A, B>>
KW_FUNC constexpr V select(const A& a, const B& b, const kw::enable<true, vec<bool, kw::shape<V>::size>>& c) {
  const V no(a), yes(b);
  V result{};
  for (int i = 0; i < kw::shape<V>::size; ++i) result.e[i] = c.e[i] ? yes.e[i] : no.e[i];
  return result;
}
}  // namespace metal
