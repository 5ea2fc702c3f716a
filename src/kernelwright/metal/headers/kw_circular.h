// Circular functions without a library, for GPUs: kw_libm.h says where they are used.
//
// Everything is computed in double and rounded once at the end. Series are cut off where the next term is below 2^-32 of
// the result, which leaves an error of half a unit in the last place and a few thousandths.
#pragma once
#include "kw_types.h"

namespace kw::scalar {
inline constexpr double half_pi = 0x1.921fb54442d18p+0, half_pi_rest = 0x1.1a62633145c07p-54;
inline constexpr double two_over_pi = 0x1.45f306dc9c883p-1;
// 2/pi after the binary point.
inline constexpr uint two_over_pi_bits[8] = {0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0,
                                             0xdb629599, 0x3c439041, 0xfe5163ab, 0xdebbc561};

// An angle as a whole number of right angles, modulo 4, and a rest of half of one at most.
struct RightAngles {
  double rest;
  uint number;
};

// Of a float from 2^40 on. Payne and Hanek's reduction (Radian Reduction for Trigonometric Functions, SIGNUM 1983): of
// the product with 2/pi only the bits are computed that are not whole turns.
KW_FUNC RightAngles right_angles_of_large(float x) {
  const uint bits = __builtin_bit_cast(uint, x), exponent = bits >> 23;
  const ulong mantissa = (bits & 0x7fffffu) | 0x800000u;
  const uint first = exponent - 152, word = first / 32, shift = first % 32;  // x is mantissa * 2^(exponent - 150)
  uint window[3];
  for (uint i = 0; i < 3; i++) {
    const ulong pair = ulong(two_over_pi_bits[word + i]) << 32 | two_over_pi_bits[word + i + 1];
    window[i] = uint(pair >> (32 - shift));
  }
  // in units of 2^-62 right angles
  const ulong turned = (mantissa * window[2] >> 32) + mantissa * window[1] + (mantissa * window[0] << 32);
  const ulong number = (turned + (1ul << 61)) >> 62;
  return {double(long(turned - (number << 62))) * 0x1p-62 * half_pi, uint(number)};
}
KW_FUNC RightAngles right_angles(float x) {  // not negative
  if (x >= 0x1p40f) return right_angles_of_large(x);
  const double whole = __builtin_rint(x * two_over_pi);
  return {__builtin_fma(whole, -half_pi_rest, __builtin_fma(whole, -half_pi, double(x))), uint(long(whole)) & 3};
}

// For |r| <= pi / 4.
KW_FUNC double sine_series(double r) {
  const double z = r * r;
  double sum = -1 / 39916800.0;
  sum = __builtin_fma(sum, z, 1 / 362880.0);
  sum = __builtin_fma(sum, z, -1 / 5040.0);
  sum = __builtin_fma(sum, z, 1 / 120.0);
  sum = __builtin_fma(sum, z, -1 / 6.0);
  return __builtin_fma(sum * z, r, r);
}
KW_FUNC double cosine_series(double r) {
  const double z = r * r;
  double sum = 1 / 479001600.0;
  sum = __builtin_fma(sum, z, -1 / 3628800.0);
  sum = __builtin_fma(sum, z, 1 / 40320.0);
  sum = __builtin_fma(sum, z, -1 / 720.0);
  sum = __builtin_fma(sum, z, 1 / 24.0);
  sum = __builtin_fma(sum, z, -0.5);
  return __builtin_fma(sum, z, 1.0);
}

KW_FUNC float sin(float x) {
  if (!__builtin_isfinite(x)) return __builtin_nanf("");
  const RightAngles angle = right_angles(__builtin_fabsf(x));
  const float value = float(angle.number & 1 ? cosine_series(angle.rest) : sine_series(angle.rest));
  const bool negative = (angle.number & 2) != 0;
  return negative != (__builtin_bit_cast(uint, x) >> 31 != 0) ? -value : value;
}
KW_FUNC float cos(float x) {
  if (!__builtin_isfinite(x)) return __builtin_nanf("");
  const RightAngles angle = right_angles(__builtin_fabsf(x));
  const float value = float(angle.number & 1 ? sine_series(angle.rest) : cosine_series(angle.rest));
  return angle.number == 1 || angle.number == 2 ? -value : value;
}
KW_FUNC float tan(float x) {
  if (!__builtin_isfinite(x)) return __builtin_nanf("");
  const RightAngles angle = right_angles(__builtin_fabsf(x));
  const double s = sine_series(angle.rest), c = cosine_series(angle.rest);
  const float value = float(angle.number & 1 ? -c / s : s / c);
  return __builtin_signbit(x) ? -value : value;
}

// Of a number from 0 to 1, which is brought to at most tan(pi / 8), where the series ends early.
KW_FUNC double arc_tangent(double x) {
  const bool far = x > 0.41421356237309503;
  const double t = far ? (x - 1) / (x + 1) : x, z = t * t;
  double sum = 0;
#pragma clang loop unroll(full)
  for (int odd = 25; odd > 1; odd -= 2) sum = __builtin_fma(sum, -z, 1.0 / odd);
  return __builtin_fma(-sum * z, t, t) + (far ? half_pi / 2 : 0.0);
}
// Of a point with |y| and x, as long as it is not the origin.
KW_FUNC double angle_of(double y, double x) {
  const double across = __builtin_fabs(x);
  const double part = y > across ? half_pi - arc_tangent(across / y) : arc_tangent(y / across);
  return x < 0 ? 2 * half_pi - part : part;
}

KW_FUNC float atan2(float y, float x) {
  if (x != x || y != y) return __builtin_nanf("");
  const float up = __builtin_fabsf(y);
  const bool left = __builtin_signbit(x);
  double angle;
  if (up == 0 && x == 0) angle = left ? 2 * half_pi : 0.0;
  else if (__builtin_isinf(x) && __builtin_isinf(up)) angle = left ? 1.5 * half_pi : 0.5 * half_pi;
  else angle = angle_of(up, x);
  return __builtin_copysignf(float(angle), y);
}
KW_FUNC float atan(float x) {
  if (x != x) return x;
  return __builtin_copysignf(float(angle_of(__builtin_fabsf(x), 1)), x);
}
KW_FUNC float asin(float x) {
  const double wide = __builtin_fabsf(x);
  if (!(wide <= 1)) return __builtin_nanf("");
  return __builtin_copysignf(float(angle_of(wide, __builtin_sqrt((1 - wide) * (1 + wide)))), x);
}
KW_FUNC float acos(float x) {
  const double wide = x;
  if (!(wide >= -1 && wide <= 1)) return __builtin_nanf("");
  return float(angle_of(__builtin_sqrt((1 - wide) * (1 + wide)), wide));
}

KW_FUNC float sin_of_turn(float rest) { return float(sine_series(2 * half_pi * rest)); }
KW_FUNC float cos_of_turn(float rest) { return float(cosine_series(2 * half_pi * rest)); }
}  // namespace kw::scalar
