// Packing of numbers into integers and back (<metal_pack>): unorm is [0, 1], snorm is [-1, 1], the first component takes
// the lowest bits. Conversions round to the nearest, ties to even.
#pragma once
#include "kw_math.h"

namespace kw {
// `width` bits of `from`, starting at `shift`, as a number in [0, 1].
KW_FUNC float from_unorm(uint from, int shift, int width) {
  const uint most = (1u << width) - 1;
  return float(from >> shift & most) / float(most);
}
// The same as a number in [-1, 1]; the lowest integer stands for -1 as well.
KW_FUNC float from_snorm(uint from, int shift, int width) {
  const int value = int(from << (32 - shift - width)) >> (32 - width);
  return scalar::fmax(float(value) / float((1 << (width - 1)) - 1), -1.0f);
}
KW_FUNC uint to_unorm(float value, int shift, int width) {
  return uint(scalar::rint(scalar::saturate(value) * float((1u << width) - 1))) << shift;
}
KW_FUNC uint to_snorm(float value, int shift, int width) {
  const float most = float((1 << (width - 1)) - 1);
  const uint bits = uint(int(scalar::rint(scalar::clamp(value, -1, 1) * most)));
  return (bits & ((1u << width) - 1)) << shift;
}

// The transfer function of IEC 61966-2-1.
KW_FUNC float from_srgb(float value) {
  return value <= 0.04045f ? value / 12.92f : scalar::pow((value + 0.055f) / 1.055f, 2.4f);
}
KW_FUNC float to_srgb(float value) {
  const float linear = scalar::saturate(value);
  return linear < 0.0031308f ? 12.92f * linear : 1.055f * scalar::pow(linear, 1 / 2.4f) - 0.055f;
}
}  // namespace kw

namespace metal {
#define KW_PACK_4X8(T, norm)                                                                                     \
  KW_FUNC vec<T, 4> unpack_##norm##4x8_to_##T(uint x) {                                                          \
    return vec<T, 4>(kw::from_##norm(x, 0, 8), kw::from_##norm(x, 8, 8), kw::from_##norm(x, 16, 8),              \
                     kw::from_##norm(x, 24, 8));                                                                 \
  }                                                                                                              \
  KW_FUNC uint pack_##T##_to_##norm##4x8(vec<T, 4> x) {                                                          \
    return kw::to_##norm(x.e[0], 0, 8) | kw::to_##norm(x.e[1], 8, 8) | kw::to_##norm(x.e[2], 16, 8) |            \
           kw::to_##norm(x.e[3], 24, 8);                                                                         \
  }
#define KW_PACK_2X16(T, norm)                                                                                    \
  KW_FUNC vec<T, 2> unpack_##norm##2x16_to_##T(uint x) {                                                         \
    return vec<T, 2>(kw::from_##norm(x, 0, 16), kw::from_##norm(x, 16, 16));                                     \
  }                                                                                                              \
  KW_FUNC uint pack_##T##_to_##norm##2x16(vec<T, 2> x) {                                                         \
    return kw::to_##norm(x.e[0], 0, 16) | kw::to_##norm(x.e[1], 16, 16);                                         \
  }
#define KW_PACK(T)                                                                                               \
  KW_PACK_4X8(T, unorm)                                                                                          \
  KW_PACK_4X8(T, snorm)                                                                                          \
  KW_PACK_2X16(T, unorm)                                                                                         \
  KW_PACK_2X16(T, snorm)                                                                                         \
  KW_FUNC vec<T, 4> unpack_unorm4x8_srgb_to_##T(uint x) {                                                        \
    return vec<T, 4>(kw::from_srgb(kw::from_unorm(x, 0, 8)), kw::from_srgb(kw::from_unorm(x, 8, 8)),             \
                     kw::from_srgb(kw::from_unorm(x, 16, 8)), kw::from_unorm(x, 24, 8));                         \
  }                                                                                                              \
  KW_FUNC uint pack_##T##_to_srgb_unorm4x8(vec<T, 4> x) {                                                        \
    return kw::to_unorm(kw::to_srgb(x.e[0]), 0, 8) | kw::to_unorm(kw::to_srgb(x.e[1]), 8, 8) |                   \
           kw::to_unorm(kw::to_srgb(x.e[2]), 16, 8) | kw::to_unorm(x.e[3], 24, 8);                               \
  }                                                                                                              \
  KW_FUNC vec<T, 4> unpack_unorm10a2_to_##T(uint x) {                                                            \
    return vec<T, 4>(kw::from_unorm(x, 0, 10), kw::from_unorm(x, 10, 10), kw::from_unorm(x, 20, 10),             \
                     kw::from_unorm(x, 30, 2));                                                                  \
  }                                                                                                              \
  KW_FUNC uint pack_##T##_to_unorm10a2(vec<T, 4> x) {                                                            \
    return kw::to_unorm(x.e[0], 0, 10) | kw::to_unorm(x.e[1], 10, 10) | kw::to_unorm(x.e[2], 20, 10) |           \
           kw::to_unorm(x.e[3], 30, 2);                                                                          \
  }                                                                                                              \
  KW_FUNC vec<T, 3> unpack_unorm565_to_##T(ushort x) {                                                           \
    return vec<T, 3>(kw::from_unorm(x, 0, 5), kw::from_unorm(x, 5, 6), kw::from_unorm(x, 11, 5));                \
  }                                                                                                              \
  KW_FUNC ushort pack_##T##_to_unorm565(vec<T, 3> x) {                                                           \
    return ushort(kw::to_unorm(x.e[0], 0, 5) | kw::to_unorm(x.e[1], 5, 6) | kw::to_unorm(x.e[2], 11, 5));        \
  }
KW_PACK(half)
KW_PACK(float)
#undef KW_PACK
#undef KW_PACK_2X16
#undef KW_PACK_4X8
}  // namespace metal
