// What looks into the bits of a float, without a library, for GPUs: kw_libm.h says where it is used. All of it is exact.
#pragma once
#include "kw_types.h"

namespace kw::scalar {
KW_FUNC float rint(float x) { return __builtin_rintf(x); }
KW_FUNC float round(float x) { return __builtin_roundf(x); }

// As double every float is a normal number, and a power of two away from one that is not.
KW_FUNC int exponent_of(double x) { return int(__builtin_bit_cast(ulong, x) >> 52 & 0x7ff) - 1023; }
KW_FUNC float ldexp(float x, int exponent) {
  const int within = exponent < -300 ? -300 : exponent > 300 ? 300 : exponent;
  return float(x * __builtin_bit_cast(double, ulong(within + 1023) << 52));
}
KW_FUNC float frexp(float x, int& exponent) {
  exponent = 0;
  if (x == 0 || !__builtin_isfinite(x)) return x;
  exponent = exponent_of(x) + 1;
  return ldexp(x, -exponent);
}
KW_FUNC int ilogb(float x) {
  if (x == 0 || x != x) return -2147483647 - 1;
  return __builtin_isinf(x) ? 2147483647 : exponent_of(x);
}

// x - n * y for the whole number n towards zero: schoolbook division of the mantissas, 40 bits at a time.
KW_FUNC float fmod(float x, float y) {
  if (!__builtin_isfinite(x) || y != y || y == 0) return __builtin_nanf("");
  const float size = __builtin_fabsf(x), divisor = __builtin_fabsf(y);
  if (size < divisor || size == 0) return x;
  const int exponent = exponent_of(divisor);
  const ulong divided_by = ulong(ldexp(divisor, 23 - exponent));
  int steps = exponent_of(size) - exponent;
  ulong rest = ulong(ldexp(size, 23 - exponent_of(size))) % divided_by;
  while (steps > 0) {
    const int now = steps < 40 ? steps : 40;
    rest = (rest << now) % divided_by;
    steps -= now;
  }
  return __builtin_copysignf(ldexp(float(rest), exponent - 23), x);
}

KW_FUNC float nextafter(float x, float y) {
  if (x != x || y != y) return x + y;
  if (x == y) return y;
  if (x == 0) return __builtin_bit_cast(float, y < 0 ? 0x80000001u : 0x00000001u);
  const bool grows = (x < y) == (x > 0);
  return __builtin_bit_cast(float, __builtin_bit_cast(uint, x) + (grows ? 1 : -1));
}
}  // namespace kw::scalar
