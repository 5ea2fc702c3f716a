// Scalar types of Metal (specification, 2.1) and what every other header builds on. No header of the system is used.
#pragma once
#include "kw_abi.h"

#define KW_FUNC inline __attribute__((always_inline))
// Last parameters of functions that report who called them: line markers make these the user's own file and line.
// The place of a call. The column tells two operations on one line apart: lanes must not meet at different ones.
#define KW_HERE \
  const char *file = __builtin_FILE(), kw_u32 line = __builtin_LINE() | (__builtin_COLUMN() & 0x3ffu) << 20

typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long int64_t;
typedef unsigned long uint64_t;
typedef unsigned long size_t;
typedef long ptrdiff_t;
typedef long intptr_t;
typedef unsigned long uintptr_t;
typedef _Float16 half;
struct bfloat;

namespace kw {
template <bool condition, class T>
struct enable_if {};
template <class T>
struct enable_if<true, T> {
  typedef T type;
};
// A type that exists only under the condition: `template <class T, kw::enable<...> = 0>`.
template <bool condition, class T = int>
using enable = typename enable_if<condition, T>::type;

template <class A, class B>
inline constexpr bool same = __is_same(A, B);
template <class T>
inline constexpr bool is_integer = __is_integral(T);  // bool and characters are integers
template <class T>
inline constexpr bool is_floating = same<T, float> || same<T, half> || same<T, bfloat>;
template <class T>
inline constexpr bool is_scalar = is_integer<T> || is_floating<T> || __is_enum(T);

// Nearest bfloat, ties to even; NaNs stay NaNs and become quiet.
KW_FUNC constexpr ushort round_to_bfloat(float value) {
  const uint bits = __builtin_bit_cast(uint, value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return ushort(bits >> 16 | 0x40);
  return ushort((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
}  // namespace kw

#include "kw_bfloat.h"

namespace metal {
using ::bfloat;
using ::half;
using ::int16_t;
using ::int32_t;
using ::int64_t;
using ::int8_t;
using ::intptr_t;
using ::ptrdiff_t;
using ::size_t;
using ::uchar;
using ::uint;
using ::uint16_t;
using ::uint32_t;
using ::uint64_t;
using ::uint8_t;
using ::uintptr_t;
using ::ulong;
using ::ushort;
}  // namespace metal

// The same bits as another type of the same size.
template <class To, class From>
KW_FUNC constexpr To as_type(const From& from) {
  static_assert(sizeof(To) == sizeof(From), "as_type needs two types of the same size");
  if constexpr (__is_trivially_copyable(To) && __is_trivially_copyable(From)) {
    return __builtin_bit_cast(To, from);
  } else {  // vectors in checked programs
    To to;
    __builtin_memcpy(&to, &from, sizeof to);
    return to;
  }
}
namespace metal {
using ::as_type;
}
