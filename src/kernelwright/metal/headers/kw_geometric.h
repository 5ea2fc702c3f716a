// Geometric functions (<metal_geometric>) on vectors of float and half. Sums of halves are computed in float.
#pragma once
#include "kw_relational.h"

namespace kw {
// The vector type of the arguments, if it has a geometry.
template <class... Arguments>
using geometric = enable<has_math<typename shape<vector_of<Arguments...>>::element>, vector_of<Arguments...>>;
template <class V>
using number_of = typename shape<V>::element;

template <class T, int N>
KW_FUNC constexpr float dot(const metal::vec<T, N>& x, const metal::vec<T, N>& y) {
  float sum = float(x.e[0]) * float(y.e[0]);
  for (int i = 1; i < N; ++i) sum += float(x.e[i]) * float(y.e[i]);
  return sum;
}
}  // namespace kw

namespace metal {
template <class A, class B, class V = kw::geometric<A, B>>
KW_FUNC constexpr kw::number_of<V> dot(const A& a, const B& b) {
  return kw::number_of<V>(kw::dot(V(a), V(b)));
}
template <class A, class V = kw::geometric<A>>
KW_FUNC constexpr kw::number_of<V> length_squared(const A& a) {
  return dot(a, a);
}
template <class A, class V = kw::geometric<A>>
KW_FUNC kw::number_of<V> length(const A& a) {
  return kw::number_of<V>(kw::scalar::sqrt(kw::dot(V(a), V(a))));
}
template <class A, class B, class V = kw::geometric<A, B>>
KW_FUNC constexpr kw::number_of<V> distance_squared(const A& a, const B& b) {
  return length_squared(V(a) - V(b));
}
template <class A, class B, class V = kw::geometric<A, B>>
KW_FUNC kw::number_of<V> distance(const A& a, const B& b) {
  return length(V(a) - V(b));
}
template <class A, class V = kw::geometric<A>>
KW_FUNC V normalize(const A& a) {
  const float scale = kw::scalar::rsqrt(kw::dot(V(a), V(a)));
  V result(a);
  for (int i = 0; i < kw::shape<V>::size; ++i) result.e[i] = kw::number_of<V>(float(result.e[i]) * scale);
  return result;
}
template <class T, kw::enable<kw::has_math<T>> = 0>
KW_FUNC constexpr vec<T, 3> cross(const vec<T, 3>& x, const vec<T, 3>& y) {
  return vec<T, 3>(x.e[1] * y.e[2] - x.e[2] * y.e[1], x.e[2] * y.e[0] - x.e[0] * y.e[2],
                   x.e[0] * y.e[1] - x.e[1] * y.e[0]);
}
template <class T, int N, kw::enable<kw::has_math<T>> = 0>
KW_FUNC constexpr vec<T, N> faceforward(const vec<T, N>& n, const vec<T, N>& incident, const vec<T, N>& reference) {
  return dot(reference, incident) < 0 ? n : -n;
}
template <class T, int N, kw::enable<kw::has_math<T>> = 0>
KW_FUNC constexpr vec<T, N> reflect(const vec<T, N>& incident, const vec<T, N>& n) {
  return incident - n * T(2 * dot(n, incident));
}
template <class T, int N, kw::enable<kw::has_math<T>> = 0>
KW_FUNC vec<T, N> refract(const vec<T, N>& incident, const vec<T, N>& n, kw::enable<true, T> eta) {
  const float cosine = kw::dot(n, incident);
  const float k = 1 - float(eta) * float(eta) * (1 - cosine * cosine);
  if (k < 0) return vec<T, N>(T(0));
  return incident * eta - n * T(float(eta) * cosine + kw::scalar::sqrt(k));
}

namespace precise {
using metal::distance;
using metal::length;
using metal::normalize;
}  // namespace precise
namespace fast {
using metal::distance;
using metal::length;
using metal::normalize;
}  // namespace fast
}  // namespace metal
