// Names that lie below Apple's own headers, which are written in Metal too. Programs that add overloads for types of
// their own call them (MLX does for bfloat).
#pragma once
#include "kw_math.h"
#include "kw_simdgroup.h"

// The last parameter says which of fast and precise arithmetic is meant; here both are the same.
#define KW_BUILTIN_1(name) \
  KW_FUNC float __metal_##name(float x, bool = true) { return metal::name(x); }
#define KW_BUILTIN_2(name) \
  KW_FUNC float __metal_##name(float x, float y, bool = true) { return metal::name(x, y); }
#define KW_BUILTIN_3(name) \
  KW_FUNC float __metal_##name(float x, float y, float z, bool = true) { return metal::name(x, y, z); }
KW_BUILTIN_1(acos)
KW_BUILTIN_1(acosh)
KW_BUILTIN_1(asin)
KW_BUILTIN_1(asinh)
KW_BUILTIN_1(atan)
KW_BUILTIN_1(atanh)
KW_BUILTIN_1(ceil)
KW_BUILTIN_1(cos)
KW_BUILTIN_1(cosh)
KW_BUILTIN_1(cospi)
KW_BUILTIN_1(exp)
KW_BUILTIN_1(exp10)
KW_BUILTIN_1(exp2)
KW_BUILTIN_1(fabs)
KW_BUILTIN_1(floor)
KW_BUILTIN_1(fract)
KW_BUILTIN_1(log)
KW_BUILTIN_1(log10)
KW_BUILTIN_1(log2)
KW_BUILTIN_1(rint)
KW_BUILTIN_1(round)
KW_BUILTIN_1(rsqrt)
KW_BUILTIN_1(sin)
KW_BUILTIN_1(sinh)
KW_BUILTIN_1(sinpi)
KW_BUILTIN_1(sqrt)
KW_BUILTIN_1(tan)
KW_BUILTIN_1(tanh)
KW_BUILTIN_1(tanpi)
KW_BUILTIN_1(trunc)
KW_BUILTIN_2(atan2)
KW_BUILTIN_2(copysign)
KW_BUILTIN_2(divide)
KW_BUILTIN_2(fdim)
KW_BUILTIN_2(fmax)
KW_BUILTIN_2(fmin)
KW_BUILTIN_2(fmod)
KW_BUILTIN_2(nextafter)
KW_BUILTIN_2(pow)
KW_BUILTIN_2(powr)
KW_BUILTIN_3(clamp)
KW_BUILTIN_3(fma)
KW_BUILTIN_3(fmax3)
KW_BUILTIN_3(fmedian3)
KW_BUILTIN_3(fmin3)
#undef KW_BUILTIN_1
#undef KW_BUILTIN_2
#undef KW_BUILTIN_3
KW_FUNC float __metal_frexp(float x, int* exponent) { return metal::frexp(x, *exponent); }
KW_FUNC float __metal_ldexp(float x, int exponent, bool = true) { return metal::ldexp(x, exponent); }

#define KW_BUILTIN_SIMD(name)                          \
  template <class T>                                   \
  KW_FUNC T __metal_simd_##name(T data, KW_HERE) {     \
    return metal::simd_##name(data, file, line);         \
  }
#define KW_BUILTIN_SHUFFLE(name)                                     \
  template <class T>                                                 \
  KW_FUNC T __metal_simd_##name(T data, ushort lane, KW_HERE) {      \
    return metal::simd_##name(data, lane, file, line);                 \
  }
#define KW_BUILTIN_FILL(name)                                                                \
  template <class T>                                                                         \
  KW_FUNC T __metal_simd_##name(T data, T filling, ushort delta, ushort modulo, KW_HERE) {   \
    return metal::simd_##name(data, filling, delta, modulo, file, line);                       \
  }
KW_BUILTIN_SIMD(max)
KW_BUILTIN_SIMD(min)
KW_BUILTIN_SIMD(sum)
KW_BUILTIN_SIMD(product)
KW_BUILTIN_SIMD(and)
KW_BUILTIN_SIMD(or)
KW_BUILTIN_SIMD(prefix_exclusive_product)
KW_BUILTIN_SIMD(prefix_exclusive_sum)
KW_BUILTIN_SIMD(prefix_inclusive_product)
KW_BUILTIN_SIMD(prefix_inclusive_sum)
KW_BUILTIN_SHUFFLE(broadcast)
KW_BUILTIN_SHUFFLE(shuffle)
KW_BUILTIN_SHUFFLE(shuffle_down)
KW_BUILTIN_SHUFFLE(shuffle_rotate_down)
KW_BUILTIN_SHUFFLE(shuffle_rotate_up)
KW_BUILTIN_SHUFFLE(shuffle_up)
KW_BUILTIN_SHUFFLE(shuffle_xor)
KW_BUILTIN_FILL(shuffle_and_fill_down)
KW_BUILTIN_FILL(shuffle_and_fill_up)
#undef KW_BUILTIN_SIMD
#undef KW_BUILTIN_SHUFFLE
#undef KW_BUILTIN_FILL
// Of a float there is no exclusive or: this one takes its bits.
template <class T>
KW_FUNC T __metal_simd_xor(T data, KW_HERE) {
  if constexpr (kw::is_integer<T>) return metal::simd_xor(data, file, line);
  else return as_type<T>(metal::simd_xor(as_type<uint>(data), file, line));
}
KW_FUNC ushort __metal_get_simdgroup_size(ushort) { return KW_SIMD_WIDTH; }
