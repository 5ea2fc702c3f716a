// numeric_limits (<metal_limits>).
#pragma once
#include "kw_types.h"

namespace metal {
template <class T>
struct numeric_limits {
  static constexpr bool is_specialized = kw::is_integer<T>, is_integer = is_specialized, is_exact = is_specialized;
  static constexpr bool is_signed = __is_signed(T), is_bounded = is_specialized, is_modulo = __is_unsigned(T);
  static constexpr bool has_infinity = false, has_quiet_NaN = false, has_signaling_NaN = false, is_iec559 = false;
  static constexpr int digits = kw::same<T, bool> ? 1 : int(sizeof(T) * 8) - is_signed;
  static constexpr int digits10 = digits * 643L / 2136;  // log10(2)
  static constexpr int max_digits10 = 0, radix = 2;
  static constexpr int min_exponent = 0, min_exponent10 = 0, max_exponent = 0, max_exponent10 = 0;

  static KW_FUNC constexpr T max() {
    if constexpr (kw::same<T, bool>) return true;
    else return T(~0ul >> (64 - digits));
  }
  static KW_FUNC constexpr T min() { return is_signed ? T(-max() - 1) : T(0); }
  static KW_FUNC constexpr T lowest() { return min(); }
  static KW_FUNC constexpr T epsilon() { return T(0); }
  static KW_FUNC constexpr T round_error() { return T(0); }
  static KW_FUNC constexpr T infinity() { return T(0); }
  static KW_FUNC constexpr T quiet_NaN() { return T(0); }
  static KW_FUNC constexpr T signaling_NaN() { return T(0); }
  static KW_FUNC constexpr T denorm_min() { return T(0); }
};
template <class T>
struct numeric_limits<const T> : numeric_limits<T> {};
}  // namespace metal

namespace kw {
// A binary floating-point format: T with this many bits of mantissa, the first one not stored.
template <class T, class Bits, int mantissa>
struct floating_limits {
  static constexpr bool is_specialized = true, is_integer = false, is_exact = false, is_signed = true;
  static constexpr bool is_bounded = true, is_modulo = false, is_iec559 = true;
  static constexpr bool has_infinity = true, has_quiet_NaN = true, has_signaling_NaN = true;
  static constexpr int digits = mantissa, radix = 2;
  static constexpr int digits10 = (mantissa - 1) * 643L / 2136;
  static constexpr int max_digits10 = mantissa * 643L / 2136 + 2;

  static constexpr int stored = mantissa - 1, exponent_bits = int(sizeof(T) * 8) - mantissa;
  static constexpr int max_exponent = 1 << (exponent_bits - 1), min_exponent = 3 - max_exponent;
  static constexpr int max_exponent10 = max_exponent * 643L / 2136;
  static constexpr int min_exponent10 = -int((-min_exponent + 1) * 643L / 2136);
  static constexpr Bits infinite = Bits(((1u << exponent_bits) - 1) << stored);
  static constexpr Bits sign = Bits(1u << (sizeof(T) * 8 - 1));

  static KW_FUNC constexpr T of(Bits bits) { return __builtin_bit_cast(T, bits); }
  static KW_FUNC constexpr T max() { return of(Bits(infinite - 1)); }
  static KW_FUNC constexpr T lowest() { return of(Bits(sign | (infinite - 1))); }
  static KW_FUNC constexpr T min() { return of(Bits(1) << stored); }
  static KW_FUNC constexpr T denorm_min() { return of(Bits(1)); }
  static KW_FUNC constexpr T infinity() { return of(infinite); }
  static KW_FUNC constexpr T quiet_NaN() { return of(Bits(infinite | (1u << (stored - 1)))); }
  static KW_FUNC constexpr T signaling_NaN() { return of(Bits(infinite | (1u << (stored - 2)))); }
  static KW_FUNC constexpr T epsilon() { return T(1.0f / (1 << stored)); }
  static KW_FUNC constexpr T round_error() { return T(0.5f); }
};
}  // namespace kw

namespace metal {
template <>
struct numeric_limits<float> : kw::floating_limits<float, uint, 24> {};
template <>
struct numeric_limits<half> : kw::floating_limits<half, ushort, 11> {};
template <>
struct numeric_limits<bfloat> : kw::floating_limits<bfloat, ushort, 8> {};
}  // namespace metal
