// Mathematics in float, correct to about one unit in the last place: what every function of kw_math.h is computed with.
// The only header that knows where the numbers come from: the process's libm on the CPU; on NVIDIA GPUs, where there is
// none and whose driver brings none, our own functions.
#pragma once
#include "kw_types.h"

#if defined(__NVPTX__) && !defined(KW_OWN_MATH)
#define KW_OWN_MATH 1  // also given to compile the same functions for the CPU, where they can be compared
#endif

#if defined(KW_OWN_MATH)
#include "kw_elementary.h"
#include "kw_circular.h"
#include "kw_float_parts.h"
#include "kw_powers.h"
#else

// What kw_elementary.h computes itself. Not in checked programs: there a function is a call, which counts as one operation.
#if !defined(KW_CHECKED) && (defined(__FMA__) || defined(__aarch64__))
#include "kw_elementary.h"
#define KW_LIBM_ELEMENTARY(one)
#else
#define KW_LIBM_ELEMENTARY(one) one(exp) one(exp2) one(log) one(tanh)
#endif

#define KW_LIBM_FUNCTIONS(one, two)                                                                              \
  one(acos) one(acosh) one(asin) one(asinh) one(atan) one(atanh) one(cos) one(cosh) one(log10) one(log2) one(sin) \
  one(sinh) one(tan) one(rint) one(round) KW_LIBM_ELEMENTARY(one)                                                \
  two(atan2) two(fmod) two(nextafter) two(pow)

namespace kw::scalar {
#define KW_LIBM_1(name) \
  KW_FUNC float name(float x) { return __builtin_##name##f(x); }
#define KW_LIBM_2(name) \
  KW_FUNC float name(float x, float y) { return __builtin_##name##f(x, y); }
KW_LIBM_FUNCTIONS(KW_LIBM_1, KW_LIBM_2)
#undef KW_LIBM_1
#undef KW_LIBM_2
#undef KW_LIBM_FUNCTIONS
#undef KW_LIBM_ELEMENTARY

#ifdef __APPLE__
extern "C" float __exp10f(float);
KW_FUNC float exp10(float x) { return __exp10f(x); }
#else
extern "C" float exp10f(float);
KW_FUNC float exp10(float x) { return exp10f(x); }
#endif
KW_FUNC float ldexp(float x, int exponent) { return __builtin_ldexpf(x, exponent); }
KW_FUNC float frexp(float x, int& exponent) { return __builtin_frexpf(x, &exponent); }
KW_FUNC int ilogb(float x) { return __builtin_ilogbf(x); }
KW_FUNC float sin_of_turn(float rest) { return __builtin_sinf(3.14159265358979323846f * rest); }
KW_FUNC float cos_of_turn(float rest) { return __builtin_cosf(3.14159265358979323846f * rest); }
}  // namespace kw::scalar
#endif

namespace kw::scalar {
// These are instructions everywhere. fmax and fmin return the other argument where one is a NaN.
KW_FUNC constexpr float fabs(float x) { return __builtin_fabsf(x); }
KW_FUNC constexpr float copysign(float x, float y) { return __builtin_copysignf(x, y); }
KW_FUNC constexpr float fmax(float x, float y) { return __builtin_fmaxf(x, y); }
KW_FUNC constexpr float fmin(float x, float y) { return __builtin_fminf(x, y); }
KW_FUNC float fma(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
KW_FUNC float sqrt(float x) { return __builtin_sqrtf(x); }
KW_FUNC float ceil(float x) { return __builtin_ceilf(x); }
KW_FUNC float floor(float x) { return __builtin_floorf(x); }
KW_FUNC float trunc(float x) { return __builtin_truncf(x); }

KW_FUNC float rsqrt(float x) { return 1.0f / __builtin_sqrtf(x); }

// Half turns. Subtracting the nearest multiple of a half is exact, so multiples of a half give exactly 0, 1 and -1.
struct Turn {
  float rest;    // in [-1/4, 1/4]
  int quarters;  // modulo 4
};
KW_FUNC Turn turn(float half_turns) {  // not negative
  const float whole = 2.0f * __builtin_floorf(half_turns * 0.5f);
  const float left = half_turns - whole;  // in [0, 2)
  const float quarters = __builtin_rintf(2.0f * left);
  return {left - 0.5f * quarters, int(quarters) & 3};
}
KW_FUNC float sinpi(float x) {
  if (!__builtin_isfinite(x)) return __builtin_nanf("");
  const Turn t = turn(fabs(x));
  const float value = t.quarters & 1 ? cos_of_turn(t.rest) : sin_of_turn(t.rest);
  const float upwards = t.quarters & 2 ? -value : value;
  return value == 0 ? copysign(0.0f, x) : x < 0 ? -upwards : upwards;
}
KW_FUNC float cospi(float x) {
  if (!__builtin_isfinite(x)) return __builtin_nanf("");
  const Turn t = turn(fabs(x));
  const float value = t.quarters & 1 ? sin_of_turn(t.rest) : cos_of_turn(t.rest);
  return value == 0 ? 0.0f : t.quarters == 1 || t.quarters == 2 ? -value : value;
}

KW_FUNC float tanpi(float x) { return sinpi(x) / cospi(x); }
KW_FUNC float divide(float x, float y) { return x / y; }
KW_FUNC float fdim(float x, float y) { return x <= y ? 0.0f : x - y; }
KW_FUNC float powr(float x, float y) { return x >= 0 ? pow(x, y) : __builtin_nanf(""); }
}  // namespace kw::scalar
