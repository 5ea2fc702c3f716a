// Powers, logarithms and hyperbolic functions without a library, for GPUs: kw_libm.h says where they are used.
//
// Computed in double, which neither overflows nor becomes denormal where a float does, and rounded once at the end.
// Series are cut off where the next term is below 2^-40 of the result.
#pragma once
#include "kw_types.h"

namespace kw::scalar {
inline constexpr double natural_log_of_2 = 0x1.62e42fefa39efp-1, log2_of_e = 0x1.71547652b82fep+0;
inline constexpr double natural_log_of_10 = 0x1.26bb1bbb55516p+1, log10_of_e = 0x1.bcb7b1526e50ep-2;

KW_FUNC double wide_power_of_two(int exponent) { return __builtin_bit_cast(double, ulong(exponent + 1023) << 52); }

// e^x, for |x| <= 700.
KW_FUNC double wide_exp(double x) {
  const double whole = __builtin_rint(x * log2_of_e);
  const double r = __builtin_fma(whole, -natural_log_of_2, x);
  double sum = 1 / 3628800.0;
  sum = __builtin_fma(sum, r, 1 / 362880.0);
  sum = __builtin_fma(sum, r, 1 / 40320.0);
  sum = __builtin_fma(sum, r, 1 / 5040.0);
  sum = __builtin_fma(sum, r, 1 / 720.0);
  sum = __builtin_fma(sum, r, 1 / 120.0);
  sum = __builtin_fma(sum, r, 1 / 24.0);
  sum = __builtin_fma(sum, r, 1 / 6.0);
  sum = __builtin_fma(sum, r, 0.5);
  sum = __builtin_fma(sum, r, 1.0);
  return __builtin_fma(sum, r, 1.0) * wide_power_of_two(int(whole));
}
// As wide_exp, for what a float can hold; NaNs stay.
KW_FUNC float exp_as_float(double x) { return float(wide_exp(x < -700 ? -700 : x > 700 ? 700 : x)); }

// The logarithm of (1 + s) / (1 - s), for |s| up to 0.172.
KW_FUNC double log_series(double s) {
  const double z = s * s;
  double sum = 0;
#pragma clang loop unroll(full)
  for (int odd = 17; odd > 1; odd -= 2) sum = __builtin_fma(sum, z, 1.0 / odd);
  return 2 * __builtin_fma(sum * z, s, s);
}
// A positive finite number as 2^k times one between the roots of a half and of two, whose logarithm is `rest`.
struct Logarithm {
  double k, rest;
};
KW_FUNC Logarithm logarithm(double x) {
  const ulong root_of_half = 0x3fe6a09e667f3bcdul;
  const long bits = __builtin_bit_cast(long, x), k = (bits - long(root_of_half)) >> 52;
  const double m = __builtin_bit_cast(double, bits - (k << 52));
  return {double(k), log_series((m - 1) / (m + 1))};
}
KW_FUNC double wide_log(double x) {
  const Logarithm log = logarithm(x);
  return __builtin_fma(log.k, natural_log_of_2, log.rest);
}
// Of 1 + x, for x >= 0.
KW_FUNC double wide_log_of_one_plus(double x) { return x < 0.4 ? log_series(x / (2 + x)) : wide_log(1 + x); }

KW_FUNC bool has_logarithm(float x) { return x > 0 && x < __builtin_inff(); }
// For everything else.
KW_FUNC float log_at_limit(float x) { return x == 0 ? -__builtin_inff() : x > 0 ? x : __builtin_nanf(""); }
KW_FUNC float log2(float x) {
  if (!has_logarithm(x)) return log_at_limit(x);
  const Logarithm log = logarithm(x);
  return float(__builtin_fma(log.rest, log2_of_e, log.k));
}
KW_FUNC float log10(float x) { return has_logarithm(x) ? float(wide_log(x) * log10_of_e) : log_at_limit(x); }
KW_FUNC float exp10(float x) { return exp_as_float(x * natural_log_of_10); }

KW_FUNC float pow(float x, float y) {
  if (y == 0 || x == 1) return 1;
  if (x != x || y != y) return x + y;
  const float size = __builtin_fabsf(x);
  if (__builtin_isinf(y)) return size == 1 ? 1.0f : (size > 1) == (y > 0) ? y * y : 0.0f;
  const bool whole = __builtin_truncf(y) == y;
  const bool odd = whole && __builtin_truncf(y * 0.5f) != y * 0.5f;
  float value;
  if (size == 0 || __builtin_isinf(size)) value = (size == 0) == (y > 0) ? 0.0f : __builtin_inff();
  else if (x < 0 && !whole) return __builtin_nanf("");
  else value = exp_as_float(y * wide_log(size));
  return odd && __builtin_signbit(x) ? -value : value;
}

KW_FUNC float sinh(float x) {
  const double size = __builtin_fabsf(x), z = size * size;
  if (x != x || __builtin_isinf(x)) return x;
  double value;
  if (size < 1) {
    value = 1 / 6227020800.0;
    value = __builtin_fma(value, z, 1 / 39916800.0);
    value = __builtin_fma(value, z, 1 / 362880.0);
    value = __builtin_fma(value, z, 1 / 5040.0);
    value = __builtin_fma(value, z, 1 / 120.0);
    value = __builtin_fma(value, z, 1 / 6.0);
    value = __builtin_fma(value * z, size, size);
  } else {
    const double e = wide_exp(size < 100 ? size : 100);
    value = 0.5 * (e - 1 / e);
  }
  return __builtin_copysignf(float(value), x);
}
KW_FUNC float cosh(float x) {
  const double size = __builtin_fabsf(x), e = wide_exp(size < 100 ? size : 100);
  return x != x ? x : float(0.5 * (e + 1 / e));
}
KW_FUNC float asinh(float x) {
  const double size = __builtin_fabsf(x), z = size * size;
  if (x != x || __builtin_isinf(x)) return x;
  return __builtin_copysignf(float(wide_log_of_one_plus(size + z / (1 + __builtin_sqrt(z + 1)))), x);
}
KW_FUNC float acosh(float x) {
  if (!(x >= 1)) return __builtin_nanf("");
  if (__builtin_isinf(x)) return x;
  const double more = double(x) - 1;
  return float(wide_log_of_one_plus(more + __builtin_sqrt(more * (double(x) + 1))));
}
KW_FUNC float atanh(float x) {
  const double size = __builtin_fabsf(x);
  if (!(size <= 1)) return __builtin_nanf("");
  if (size == 1) return __builtin_copysignf(__builtin_inff(), x);
  return __builtin_copysignf(float(0.5 * wide_log_of_one_plus(2 * size / (1 - size))), x);
}
}  // namespace kw::scalar
