// Math and common functions on floating-point numbers (<metal_math>, <metal_common>).
//
// A half is computed in float and rounded once. bfloat has no functions of its own in Metal: it converts to float, and so
// does the result. `precise` and `fast` are the same functions: everything here is precise.
#pragma once
#include "kw_integer.h"
#include "kw_libm.h"

namespace kw {
template <class T>
inline constexpr bool has_math = same<T, float> || same<T, half>;
template <class T>
inline constexpr bool has_order = has_math<T> || is_integer<T>;
}  // namespace kw

namespace kw::scalar {
KW_FUNC constexpr float max3(float x, float y, float z) { return fmax(x, fmax(y, z)); }
KW_FUNC constexpr float min3(float x, float y, float z) { return fmin(x, fmin(y, z)); }
KW_FUNC constexpr float median3(float x, float y, float z) { return fmax(fmin(x, y), fmin(fmax(x, y), z)); }
KW_FUNC constexpr float clamp(float x, float low, float high) { return fmin(fmax(x, low), high); }
KW_FUNC constexpr float saturate(float x) { return clamp(x, 0, 1); }
KW_FUNC constexpr float sign(float x) { return x > 0 ? 1.0f : x < 0 ? -1.0f : x == 0 ? x : 0.0f; }
KW_FUNC constexpr float step(float edge, float x) { return x < edge ? 0.0f : 1.0f; }
KW_FUNC constexpr float mix(float x, float y, float a) { return x + (y - x) * a; }
KW_FUNC constexpr float smoothstep(float low, float high, float x) {
  const float t = saturate((x - low) / (high - low));
  return t * t * (3 - 2 * t);
}
// Below 1 also where the difference rounds up to it; `below_one` is the largest such number of the type.
KW_FUNC float fract(float x, float below_one) {
  if (__builtin_isinf(x)) return copysign(0.0f, x);
  const float rest = x - floor(x);
  return rest > below_one ? below_one : rest;
}
KW_FUNC half nextafter(half x, half y) {
  if (x != x || y != y) return x + y;
  if (x == y) return y;
  if (x == 0) return __builtin_bit_cast(half, ushort(y < 0 ? 0x8001 : 0x0001));
  const bool grows = (x < y) == (x > 0);
  return __builtin_bit_cast(half, ushort(__builtin_bit_cast(ushort, x) + (grows ? 1 : -1)));
}
}  // namespace kw::scalar

namespace metal {
// ---- one to three numbers in, one out

#define KW_MATH_1(f)                                                                                          \
  f(acos) f(acosh) f(asin) f(asinh) f(atan) f(atanh) f(ceil) f(cos) f(cosh) f(cospi) f(exp) f(exp10) f(exp2)  \
  f(floor) f(log) f(log10) f(log2) f(rint) f(round) f(rsqrt) f(sin) f(sinh) f(sinpi) f(sqrt) f(tan) f(tanh)   \
  f(tanpi) f(trunc)
#define KW_MATH_2(f) f(atan2) f(divide) f(fdim) f(fmod) f(pow) f(powr)
#define KW_CONSTANT_1(f) f(fabs) f(saturate) f(sign)
#define KW_CONSTANT_2(f) f(copysign) f(fmax) f(fmin) f(step)
#define KW_CONSTANT_3(f) f(mix) f(smoothstep)

#define KW_1(name, specifier)                                                                   \
  KW_FUNC specifier float name(float x) { return kw::scalar::name(x); }                         \
  KW_FUNC specifier half name(half x) { return half(kw::scalar::name(float(x))); }              \
  KW_ON_VECTORS_1(name, kw::has_math)
#define KW_2(name, specifier)                                                                   \
  KW_FUNC specifier float name(float x, float y) { return kw::scalar::name(x, y); }             \
  KW_FUNC specifier half name(half x, half y) { return half(kw::scalar::name(float(x), float(y))); } \
  KW_ON_VECTORS_2(name, kw::has_math)
#define KW_3(name, function, specifier)                                                         \
  KW_FUNC specifier float name(float x, float y, float z) { return kw::scalar::function(x, y, z); } \
  KW_FUNC specifier half name(half x, half y, half z) {                                         \
    return half(kw::scalar::function(float(x), float(y), float(z)));                            \
  }                                                                                             \
  KW_ON_VECTORS_3(name, kw::has_math)

#define KW_COMPUTED_1(name) KW_1(name, )
#define KW_COMPUTED_2(name) KW_2(name, )
#define KW_FOLDED_1(name) KW_1(name, constexpr)
#define KW_FOLDED_2(name) KW_2(name, constexpr)
#define KW_FOLDED_3(name) KW_3(name, name, constexpr)
KW_MATH_1(KW_COMPUTED_1)
KW_MATH_2(KW_COMPUTED_2)
KW_CONSTANT_1(KW_FOLDED_1)
KW_CONSTANT_2(KW_FOLDED_2)
KW_CONSTANT_3(KW_FOLDED_3)
KW_3(fma, fma, )
KW_3(fmax3, max3, constexpr)
KW_3(fmin3, min3, constexpr)
KW_3(fmedian3, median3, constexpr)
#undef KW_COMPUTED_1
#undef KW_COMPUTED_2
#undef KW_FOLDED_1
#undef KW_FOLDED_2
#undef KW_FOLDED_3
#undef KW_1
#undef KW_2
#undef KW_3

KW_FUNC float fract(float x) { return kw::scalar::fract(x, 0x1.fffffep-1f); }
KW_FUNC half fract(half x) { return half(kw::scalar::fract(float(x), 0x1.ffcp-1f)); }
KW_ON_VECTORS_1(fract, kw::has_math)
KW_FUNC float nextafter(float x, float y) { return kw::scalar::nextafter(x, y); }
KW_FUNC half nextafter(half x, half y) { return kw::scalar::nextafter(x, y); }
KW_ON_VECTORS_2(nextafter, kw::has_math)

// ---- what integers have as well

#define KW_ORDERED(T)                                                                                               \
  KW_FUNC constexpr T abs(T x) { return fabs(x); }                                                                  \
  KW_FUNC constexpr T max(T x, T y) { return fmax(x, y); }                                                          \
  KW_FUNC constexpr T min(T x, T y) { return fmin(x, y); }                                                          \
  KW_FUNC constexpr T max3(T x, T y, T z) { return fmax3(x, y, z); }                                                \
  KW_FUNC constexpr T min3(T x, T y, T z) { return fmin3(x, y, z); }                                                \
  KW_FUNC constexpr T median3(T x, T y, T z) { return fmedian3(x, y, z); }                                          \
  KW_FUNC constexpr T clamp(T x, T low, T high) { return fmin(fmax(x, low), high); }
KW_ORDERED(float)
KW_ORDERED(half)
#undef KW_ORDERED
// A bfloat converts to float here too, though it could become any integer as well. Templates: programs may declare
// functions of their own that give a bfloat.
#define KW_ORDERED_BFLOAT(name, parameters, ...)                                     \
  template <class T, kw::enable<kw::same<T, bfloat>> = 0>                            \
  KW_FUNC constexpr float name parameters {                                          \
    return __VA_ARGS__;                                                              \
  }
KW_ORDERED_BFLOAT(abs, (T x), fabs(float(x)))
KW_ORDERED_BFLOAT(max, (T x, T y), fmax(float(x), float(y)))
KW_ORDERED_BFLOAT(min, (T x, T y), fmin(float(x), float(y)))
KW_ORDERED_BFLOAT(max3, (T x, T y, T z), fmax3(float(x), float(y), float(z)))
KW_ORDERED_BFLOAT(min3, (T x, T y, T z), fmin3(float(x), float(y), float(z)))
KW_ORDERED_BFLOAT(median3, (T x, T y, T z), fmedian3(float(x), float(y), float(z)))
KW_ORDERED_BFLOAT(clamp, (T x, T low, T high), clamp(float(x), float(low), float(high)))
#undef KW_ORDERED_BFLOAT
KW_ON_VECTORS_1(abs, kw::has_order)
KW_ON_VECTORS_2(max, kw::has_order)
KW_ON_VECTORS_2(min, kw::has_order)
KW_ON_VECTORS_3(max3, kw::has_order)
KW_ON_VECTORS_3(min3, kw::has_order)
KW_ON_VECTORS_3(median3, kw::has_order)
KW_ON_VECTORS_3(clamp, kw::has_order)

// ---- two results, or an integer among them

KW_FUNC float ldexp(float x, int exponent) { return kw::scalar::ldexp(x, exponent); }
KW_FUNC half ldexp(half x, int exponent) { return half(kw::scalar::ldexp(float(x), exponent)); }
KW_FUNC int ilogb(float x) { return kw::scalar::ilogb(x); }
KW_FUNC int ilogb(half x) { return kw::scalar::ilogb(float(x)); }
KW_FUNC float frexp(float x, int& exponent) { return kw::scalar::frexp(x, exponent); }
KW_FUNC half frexp(half x, int& exponent) { return half(kw::scalar::frexp(float(x), exponent)); }

#define KW_TWO_RESULTS(T)                                                            \
  KW_FUNC T modf(T x, T& whole) {                                                    \
    whole = trunc(x);                                                                \
    return copysign(x == whole ? T(0) : T(x - whole), x);                            \
  }                                                                                  \
  KW_FUNC T sincos(T x, T& cosine) {                                                 \
    cosine = cos(x);                                                                 \
    return sin(x);                                                                   \
  }
KW_TWO_RESULTS(float)
KW_TWO_RESULTS(half)
#undef KW_TWO_RESULTS

#define KW_ON_VECTORS_WITH(name, Other, reference)                                   \
  template <class T, int N, kw::enable<kw::has_math<T>> = 0>                         \
  KW_FUNC vec<T, N> name(vec<T, N> x, kw::enable<true, vec<Other, N>> reference other) { \
    for (int i = 0; i < N; ++i) x.e[i] = name(x.e[i], other.e[i]);                   \
    return x;                                                                        \
  }
KW_ON_VECTORS_WITH(ldexp, int, )
KW_ON_VECTORS_WITH(frexp, int, &)
KW_ON_VECTORS_WITH(modf, T, &)
KW_ON_VECTORS_WITH(sincos, T, &)
#undef KW_ON_VECTORS_WITH
template <class T, int N, kw::enable<kw::has_math<T>> = 0>
KW_FUNC vec<int, N> ilogb(const vec<T, N>& x) {
  vec<int, N> result{};
  for (int i = 0; i < N; ++i) result.e[i] = ilogb(x.e[i]);
  return result;
}

#define KW_USE(name) using metal::name;
#define KW_USE_ALL                                                                                             \
  KW_MATH_1(KW_USE) KW_MATH_2(KW_USE) KW_CONSTANT_1(KW_USE) KW_CONSTANT_2(KW_USE) KW_CONSTANT_3(KW_USE)        \
  KW_USE(fma) KW_USE(fmax3) KW_USE(fmin3) KW_USE(fmedian3) KW_USE(fract) KW_USE(nextafter) KW_USE(abs)         \
  KW_USE(max) KW_USE(min) KW_USE(max3) KW_USE(min3) KW_USE(median3) KW_USE(clamp) KW_USE(ldexp) KW_USE(ilogb)  \
  KW_USE(frexp) KW_USE(modf) KW_USE(sincos)
namespace precise {
KW_USE_ALL
}
namespace fast {
KW_USE_ALL
}
#undef KW_USE
#undef KW_USE_ALL
#undef KW_MATH_1
#undef KW_MATH_2
#undef KW_CONSTANT_1
#undef KW_CONSTANT_2
#undef KW_CONSTANT_3
}  // namespace metal
