// Matrices: C columns of R numbers, stored column by column (<metal_matrix>).
#pragma once
#include "kw_geometric.h"

namespace metal {
template <class T, int C, int R>
struct matrix {
  vec<T, R> columns[C];

  matrix() = default;
  // a diagonal matrix
  KW_FUNC constexpr explicit matrix(T diagonal) : columns{} {
    for (int i = 0; i < C && i < R; ++i) columns[i].e[i] = diagonal;
  }
  template <class... V, kw::enable<(sizeof...(V) == C - 1 && (kw::same<V, vec<T, R>> && ...))> = 0>
  KW_FUNC constexpr matrix(const vec<T, R>& first, V... more) : columns{first, more...} {}
  // C * R numbers, column by column
  template <class A, class... S, kw::enable<(sizeof...(S) == C * R - 1 && (kw::is_scalar<S> && ...))> = 0>
  KW_FUNC constexpr matrix(A first, S... more) : columns{} {
    const T all[] = {T(first), T(more)...};
    for (int i = 0; i < C; ++i)
      for (int j = 0; j < R; ++j) columns[i].e[j] = all[i * R + j];
  }
  template <class U, kw::enable<!kw::same<U, T>> = 0>
  KW_FUNC constexpr explicit matrix(const matrix<U, C, R>& other) : columns{} {
    for (int i = 0; i < C; ++i) columns[i] = vec<T, R>(other.columns[i]);
  }

  KW_FUNC constexpr vec<T, R>& operator[](size_t i) { return columns[i]; }
  KW_FUNC constexpr const vec<T, R>& operator[](size_t i) const { return columns[i]; }
};

#define KW_EACH_COLUMN(op)                                                                            \
  template <class T, int C, int R>                                                                    \
  KW_FUNC constexpr matrix<T, C, R> operator op(matrix<T, C, R> a, const matrix<T, C, R>& b) {        \
    for (int i = 0; i < C; ++i) a.columns[i] = a.columns[i] op b.columns[i];                          \
    return a;                                                                                         \
  }                                                                                                   \
  template <class T, int C, int R>                                                                    \
  KW_FUNC constexpr matrix<T, C, R>& operator op##=(matrix<T, C, R>& a, const matrix<T, C, R>& b) {   \
    return a = a op b;                                                                                \
  }
KW_EACH_COLUMN(+)
KW_EACH_COLUMN(-)
#undef KW_EACH_COLUMN
template <class T, int C, int R>
KW_FUNC constexpr matrix<T, C, R> operator-(matrix<T, C, R> a) {
  for (int i = 0; i < C; ++i) a.columns[i] = -a.columns[i];
  return a;
}
template <class T, int C, int R>
KW_FUNC constexpr bool operator==(const matrix<T, C, R>& a, const matrix<T, C, R>& b) {
  bool equal = true;
  for (int i = 0; i < C; ++i) equal = equal && all(a.columns[i] == b.columns[i]);
  return equal;
}
template <class T, int C, int R>
KW_FUNC constexpr bool operator!=(const matrix<T, C, R>& a, const matrix<T, C, R>& b) {
  return !(a == b);
}

// ---- products

template <class T, int C, int R, class S, kw::enable<kw::is_scalar<S>> = 0>
KW_FUNC constexpr matrix<T, C, R> operator*(matrix<T, C, R> a, S factor) {
  for (int i = 0; i < C; ++i) a.columns[i] = a.columns[i] * T(factor);
  return a;
}
template <class T, int C, int R, class S, kw::enable<kw::is_scalar<S>> = 0>
KW_FUNC constexpr matrix<T, C, R> operator*(S factor, const matrix<T, C, R>& a) {
  return a * factor;
}
template <class T, int C, int R>
KW_FUNC constexpr vec<T, R> operator*(const matrix<T, C, R>& a, const kw::enable<true, vec<T, C>>& x) {
  vec<T, R> sum = a.columns[0] * x.e[0];
  for (int i = 1; i < C; ++i) sum += a.columns[i] * x.e[i];
  return sum;
}
template <class T, int C, int R>
KW_FUNC constexpr vec<T, C> operator*(const kw::enable<true, vec<T, R>>& x, const matrix<T, C, R>& a) {
  vec<T, C> result{};
  for (int i = 0; i < C; ++i) result.e[i] = dot(x, a.columns[i]);
  return result;
}
template <class T, int C, int R, int K>
KW_FUNC constexpr matrix<T, K, R> operator*(const matrix<T, C, R>& a, const matrix<T, K, C>& b) {
  matrix<T, K, R> result{};
  for (int i = 0; i < K; ++i) result.columns[i] = a * b.columns[i];
  return result;
}
template <class T, int C, int R, class B>
KW_FUNC constexpr matrix<T, C, R>& operator*=(matrix<T, C, R>& a, const B& b) {
  return a = a * b;
}

// ---- functions

template <class T, int C, int R>
KW_FUNC constexpr matrix<T, R, C> transpose(const matrix<T, C, R>& a) {
  matrix<T, R, C> result{};
  for (int i = 0; i < C; ++i)
    for (int j = 0; j < R; ++j) result.columns[j].e[i] = a.columns[i].e[j];
  return result;
}
}  // namespace metal

namespace kw {
KW_FUNC constexpr float determinant(const metal::matrix<float, 2, 2>& m) {
  return m[0][0] * m[1][1] - m[1][0] * m[0][1];
}
KW_FUNC constexpr float determinant(const metal::matrix<float, 3, 3>& m) {
  return kw::dot(m[0], metal::cross(m[1], m[2]));
}
KW_FUNC constexpr float determinant(const metal::matrix<float, 4, 4>& m) {
  float sum = 0;
  for (int column = 0; column < 4; ++column) {  // along the first row
    metal::matrix<float, 3, 3> minor{};
    for (int i = 0, to = 0; i < 4; ++i)
      if (i != column) minor[to++] = float3(m[i][1], m[i][2], m[i][3]);
    const float part = m[column][0] * determinant(minor);
    sum += column & 1 ? -part : part;
  }
  return sum;
}
}  // namespace kw

namespace metal {
template <class T, int N>
KW_FUNC constexpr T determinant(const matrix<T, N, N>& m) {
  return T(kw::determinant(matrix<float, N, N>(m)));
}
}  // namespace metal

#define KW_NAMES(T)                                                                       \
  typedef metal::matrix<T, 2, 2> T##2x2;                                                  \
  typedef metal::matrix<T, 2, 3> T##2x3;                                                  \
  typedef metal::matrix<T, 2, 4> T##2x4;                                                  \
  typedef metal::matrix<T, 3, 2> T##3x2;                                                  \
  typedef metal::matrix<T, 3, 3> T##3x3;                                                  \
  typedef metal::matrix<T, 3, 4> T##3x4;                                                  \
  typedef metal::matrix<T, 4, 2> T##4x2;                                                  \
  typedef metal::matrix<T, 4, 3> T##4x3;                                                  \
  typedef metal::matrix<T, 4, 4> T##4x4;                                                  \
  namespace metal {                                                                       \
  using ::T##2x2;                                                                         \
  using ::T##2x3;                                                                         \
  using ::T##2x4;                                                                         \
  using ::T##3x2;                                                                         \
  using ::T##3x3;                                                                         \
  using ::T##3x4;                                                                         \
  using ::T##4x2;                                                                         \
  using ::T##4x3;                                                                         \
  using ::T##4x4;                                                                         \
  }
KW_NAMES(half)
KW_NAMES(float)
#undef KW_NAMES
