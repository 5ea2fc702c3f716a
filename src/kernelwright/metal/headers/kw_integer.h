// Integer functions, and those common functions that integers have too (abs, min, max, clamp, ...).
//
// Each is declared for every integer type by itself, not as a template: max(i, 1u) then is ambiguous, as it is in Metal.
#pragma once
#include "kw_limits.h"
#include "kw_vector.h"

namespace kw::integer {
template <class T>
using bits_of = __make_unsigned(T);
template <class T>
inline constexpr int bits = int(sizeof(T) * 8);

template <class T>
KW_FUNC constexpr T abs(T x) {
  return x < 0 ? T(bits_of<T>(0) - bits_of<T>(x)) : x;
}
template <class T>
KW_FUNC constexpr bits_of<T> absdiff(T a, T b) {
  return a > b ? bits_of<T>(a) - bits_of<T>(b) : bits_of<T>(b) - bits_of<T>(a);
}
template <class T>
KW_FUNC constexpr T addsat(T a, T b) {
  T sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return a < 0 ? metal::numeric_limits<T>::min() : metal::numeric_limits<T>::max();
}
template <class T>
KW_FUNC constexpr T subsat(T a, T b) {
  T difference = 0;
  if (!__builtin_sub_overflow(a, b, &difference)) return difference;
  return !__is_signed(T) || a < 0 ? metal::numeric_limits<T>::min() : metal::numeric_limits<T>::max();
}
template <class T>
KW_FUNC constexpr T clz(T x) {
  return x == 0 ? T(bits<T>) : T(__builtin_clzl(ulong(bits_of<T>(x))) - (64 - bits<T>));
}
template <class T>
KW_FUNC constexpr T ctz(T x) {
  return x == 0 ? T(bits<T>) : T(__builtin_ctzl(ulong(bits_of<T>(x))));
}
template <class T>
KW_FUNC constexpr T popcount(T x) {
  return T(__builtin_popcountl(ulong(bits_of<T>(x))));
}
template <class T>
KW_FUNC constexpr T reverse_bits(T x) {
  if constexpr (sizeof(T) == 1) return T(__builtin_bitreverse8(bits_of<T>(x)));
  else if constexpr (sizeof(T) == 2) return T(__builtin_bitreverse16(bits_of<T>(x)));
  else if constexpr (sizeof(T) == 4) return T(__builtin_bitreverse32(bits_of<T>(x)));
  else return T(__builtin_bitreverse64(bits_of<T>(x)));
}
template <class T>
KW_FUNC constexpr T rotate(T x, T by) {
  const bits_of<T> all = bits_of<T>(x);
  const int left = int(bits_of<T>(by) % bits<T>);
  return T(left ? all << left | all >> (bits<T> - left) : all);
}
template <class T>
KW_FUNC constexpr T extract_bits(T x, uint offset, uint count) {
  if (count == 0) return 0;
  // bits beyond the type are undefined in Metal; here they are no undefined behaviour
  const uint above = (bits<T> - offset - count) % bits<T>, below = (bits<T> - count) % bits<T>;
  return T(T(bits_of<T>(x) << above) >> below);
}
template <class T>
KW_FUNC constexpr T insert_bits(T base, T insert, uint offset, uint count) {
  const bits_of<T> ones = count >= uint(bits<T>) ? bits_of<T>(~bits_of<T>(0)) : bits_of<T>((bits_of<T>(1) << count) - 1);
  const bits_of<T> mask = bits_of<T>(ones << offset % bits<T>);
  return T((bits_of<T>(base) & ~mask) | (bits_of<T>(bits_of<T>(insert) << offset % bits<T>) & mask));
}
template <class T>
KW_FUNC constexpr T hadd(T a, T b) {
  return T((a >> 1) + (b >> 1) + (a & b & 1));
}
template <class T>
KW_FUNC constexpr T rhadd(T a, T b) {
  return T((a >> 1) + (b >> 1) + ((a | b) & 1));
}
template <class T>
KW_FUNC constexpr T mulhi(T a, T b) {
  if constexpr (sizeof(T) < 8 && __is_signed(T)) return T(long(a) * long(b) >> bits<T>);
  else if constexpr (sizeof(T) < 8) return T(ulong(a) * ulong(b) >> bits<T>);
  else if constexpr (__is_signed(T)) return T(__int128(a) * b >> 64);
  else return T((unsigned __int128)(a)*b >> 64);
}
template <class T>
KW_FUNC constexpr T madsat(T a, T b, T c) {
  if constexpr (sizeof(T) == 8 && !__is_signed(T)) {
    const T product = a * b;
    return mulhi(a, b) ? metal::numeric_limits<T>::max() : addsat(product, c);
  } else {
    const __int128 exact = __int128(a) * b + c;
    const __int128 low = metal::numeric_limits<T>::min(), high = metal::numeric_limits<T>::max();
    return T(exact < low ? low : exact > high ? high : exact);
  }
}
KW_FUNC constexpr int low24(int x) { return int(uint(x) << 8) >> 8; }
}  // namespace kw::integer

namespace metal {
#define KW_INTEGER_FUNCTIONS(T)                                                                          \
  KW_FUNC constexpr T abs(T x) { return kw::integer::abs(x); }                                           \
  KW_FUNC constexpr __make_unsigned(T) absdiff(T x, T y) { return kw::integer::absdiff(x, y); }          \
  KW_FUNC constexpr T addsat(T x, T y) { return kw::integer::addsat(x, y); }                             \
  KW_FUNC constexpr T subsat(T x, T y) { return kw::integer::subsat(x, y); }                             \
  KW_FUNC constexpr T clz(T x) { return kw::integer::clz(x); }                                           \
  KW_FUNC constexpr T ctz(T x) { return kw::integer::ctz(x); }                                           \
  KW_FUNC constexpr T popcount(T x) { return kw::integer::popcount(x); }                                 \
  KW_FUNC constexpr T reverse_bits(T x) { return kw::integer::reverse_bits(x); }                         \
  KW_FUNC constexpr T rotate(T x, T by) { return kw::integer::rotate(x, by); }                           \
  KW_FUNC constexpr T extract_bits(T x, uint offset, uint count) {                                       \
    return kw::integer::extract_bits(x, offset, count);                                                  \
  }                                                                                                      \
  KW_FUNC constexpr T insert_bits(T base, T insert, uint offset, uint count) {                           \
    return kw::integer::insert_bits(base, insert, offset, count);                                        \
  }                                                                                                      \
  KW_FUNC constexpr T hadd(T x, T y) { return kw::integer::hadd(x, y); }                                 \
  KW_FUNC constexpr T rhadd(T x, T y) { return kw::integer::rhadd(x, y); }                               \
  KW_FUNC constexpr T mulhi(T x, T y) { return kw::integer::mulhi(x, y); }                               \
  KW_FUNC constexpr T madhi(T a, T b, T c) { return T(kw::integer::mulhi(a, b) + c); }                   \
  KW_FUNC constexpr T madsat(T a, T b, T c) { return kw::integer::madsat(a, b, c); }                     \
  KW_FUNC constexpr T max(T x, T y) { return x < y ? y : x; }                                            \
  KW_FUNC constexpr T min(T x, T y) { return y < x ? y : x; }                                            \
  KW_FUNC constexpr T max3(T x, T y, T z) { return max(x, max(y, z)); }                                  \
  KW_FUNC constexpr T min3(T x, T y, T z) { return min(x, min(y, z)); }                                  \
  KW_FUNC constexpr T median3(T x, T y, T z) { return max(min(x, y), min(max(x, y), z)); }               \
  KW_FUNC constexpr T clamp(T x, T low, T high) { return min(max(x, low), high); }
KW_INTEGER_FUNCTIONS(char)
KW_INTEGER_FUNCTIONS(int8_t)
KW_INTEGER_FUNCTIONS(uchar)
KW_INTEGER_FUNCTIONS(short)
KW_INTEGER_FUNCTIONS(ushort)
KW_INTEGER_FUNCTIONS(int)
KW_INTEGER_FUNCTIONS(uint)
KW_INTEGER_FUNCTIONS(long)
KW_INTEGER_FUNCTIONS(ulong)
#undef KW_INTEGER_FUNCTIONS

// Only the low 24 bits of the factors count; the result is what a 32-bit product of them is.
KW_FUNC constexpr int mul24(int x, int y) { return int(uint(kw::integer::low24(x)) * uint(kw::integer::low24(y))); }
KW_FUNC constexpr uint mul24(uint x, uint y) { return (x & 0xffffff) * (y & 0xffffff); }
KW_FUNC constexpr int mad24(int x, int y, int z) { return int(uint(mul24(x, y)) + uint(z)); }
KW_FUNC constexpr uint mad24(uint x, uint y, uint z) { return mul24(x, y) + z; }

KW_ON_VECTORS_1(clz, kw::is_integer)
KW_ON_VECTORS_1(ctz, kw::is_integer)
KW_ON_VECTORS_1(popcount, kw::is_integer)
KW_ON_VECTORS_1(reverse_bits, kw::is_integer)
KW_ON_VECTORS_2(addsat, kw::is_integer)
KW_ON_VECTORS_2(subsat, kw::is_integer)
KW_ON_VECTORS_2(rotate, kw::is_integer)
KW_ON_VECTORS_2(hadd, kw::is_integer)
KW_ON_VECTORS_2(rhadd, kw::is_integer)
KW_ON_VECTORS_2(mulhi, kw::is_integer)
KW_ON_VECTORS_3(madhi, kw::is_integer)
KW_ON_VECTORS_3(madsat, kw::is_integer)
KW_ON_VECTORS_2(mul24, kw::is_integer)
KW_ON_VECTORS_3(mad24, kw::is_integer)

template <class T, int N, kw::enable<kw::is_integer<T>> = 0>
KW_FUNC constexpr vec<__make_unsigned(T), N> absdiff(const vec<T, N>& x, const vec<T, N>& y) {
  vec<__make_unsigned(T), N> result{};
  for (int i = 0; i < N; ++i) result.e[i] = absdiff(x.e[i], y.e[i]);
  return result;
}
template <class T, int N, kw::enable<kw::is_integer<T>> = 0>
KW_FUNC constexpr vec<T, N> extract_bits(vec<T, N> x, uint offset, uint count) {
  for (int i = 0; i < N; ++i) x.e[i] = extract_bits(x.e[i], offset, count);
  return x;
}
template <class T, int N, kw::enable<kw::is_integer<T>> = 0>
KW_FUNC constexpr vec<T, N> insert_bits(vec<T, N> base, const vec<T, N>& insert, uint offset, uint count) {
  for (int i = 0; i < N; ++i) base.e[i] = insert_bits(base.e[i], insert.e[i], offset, count);
  return base;
}
}  // namespace metal
