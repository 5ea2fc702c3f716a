// Names of <simd/simd.h>, which programs share with their host code: simd_float4, vector_float4, simd::float4, ...
#pragma once
#include "kw_matrix.h"

#define KW_VECTORS(T)              \
  typedef T##2 simd_##T##2;        \
  typedef T##3 simd_##T##3;        \
  typedef T##4 simd_##T##4;        \
  typedef T##2 vector_##T##2;      \
  typedef T##3 vector_##T##3;      \
  typedef T##4 vector_##T##4;      \
  namespace simd {                 \
  using ::T##2;                    \
  using ::T##3;                    \
  using ::T##4;                    \
  }
KW_VECTORS(char)
KW_VECTORS(uchar)
KW_VECTORS(short)
KW_VECTORS(ushort)
KW_VECTORS(int)
KW_VECTORS(uint)
KW_VECTORS(long)
KW_VECTORS(ulong)
KW_VECTORS(half)
KW_VECTORS(float)
#undef KW_VECTORS

#define KW_MATRICES(shape)                  \
  typedef float##shape simd_float##shape;   \
  typedef float##shape matrix_float##shape; \
  typedef half##shape simd_half##shape;     \
  typedef half##shape matrix_half##shape;   \
  namespace simd {                          \
  using ::float##shape;                     \
  using ::half##shape;                      \
  }
KW_MATRICES(2x2)
KW_MATRICES(2x3)
KW_MATRICES(2x4)
KW_MATRICES(3x2)
KW_MATRICES(3x3)
KW_MATRICES(3x4)
KW_MATRICES(4x2)
KW_MATRICES(4x3)
KW_MATRICES(4x4)
#undef KW_MATRICES
