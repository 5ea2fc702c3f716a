// Swizzles: `v.xy`, `v.bgra`, `v.wzyx = ...` as properties of the vector classes.
//
// KW_SWIZZLES_n declares all swizzles of a vector with n components. For each of them the class gets kw_get_zx() and
// kw_set_zx(), whose bodies are compiled only where they are used, and the properties zx and br that call them.
// The macros below walk over all pairs, triples and quadruples of components; each walk within a walk has macros of its
// own, because a macro is not expanded within itself.
#pragma once
#include "kw_traits.h"

namespace kw {
// Assigning to v.xx makes no sense. The class is a parameter only to put the question off until the use.
template <class V, int... places>
inline constexpr bool assignable = true;
template <class V, int first, int... rest>
inline constexpr bool assignable<V, first, rest...> = ((first != rest) && ...) && assignable<V, rest...>;

template <int... places, class T>
KW_FUNC constexpr metal::vec<T, sizeof...(places)> gather(const T* components) {
  return metal::vec<T, sizeof...(places)>(components[places]...);
}
template <int... places, class T>
KW_FUNC constexpr void scatter(T* components, const metal::vec<T, sizeof...(places)>& value) {
  int i = 0;
  ((components[places] = value.e[i++]), ...);
}
}  // namespace kw

#define KW_SWIZZLE(n, xyzw, rgba, ...)                                                                             \
  KW_FUNC constexpr metal::vec<T, n> kw_get_##xyzw() const { return kw::gather<__VA_ARGS__>(this->e); }            \
  KW_FUNC constexpr void kw_set_##xyzw(const metal::vec<T, n>& value)& {                                           \
    static_assert(kw::assignable<T, __VA_ARGS__>, "a swizzle that names a component twice cannot be assigned to"); \
    kw::scatter<__VA_ARGS__>(this->e, metal::vec<T, n>(value));                                                    \
  }                                                                                                                \
  __declspec(property(get = kw_get_##xyzw, put = kw_set_##xyzw)) metal::vec<T, n> xyzw;                            \
  __declspec(property(get = kw_get_##xyzw, put = kw_set_##xyzw)) metal::vec<T, n> rgba;

#define KW_SWIZZLE_2(a, A, i, b, B, j) KW_SWIZZLE(2, a##b, A##B, i, j)
#define KW_SWIZZLE_3(a, A, i, b, B, j, c, C, k) KW_SWIZZLE(3, a##b##c, A##B##C, i, j, k)
#define KW_SWIZZLE_4(a, A, i, b, B, j, c, C, k, d, D, l) KW_SWIZZLE(4, a##b##c##d, A##B##C##D, i, j, k, l)

// KW_WALKd_n: calls `m` with each of n components behind what it was given; d is the depth of the walk.
#define KW_WALK1_2(m) m(x, r, 0) m(y, g, 1)
#define KW_WALK1_3(m) KW_WALK1_2(m) m(z, b, 2)
#define KW_WALK1_4(m) KW_WALK1_3(m) m(w, a, 3)
#define KW_WALK2_2(m, ...) m(__VA_ARGS__, x, r, 0) m(__VA_ARGS__, y, g, 1)
#define KW_WALK2_3(m, ...) KW_WALK2_2(m, __VA_ARGS__) m(__VA_ARGS__, z, b, 2)
#define KW_WALK2_4(m, ...) KW_WALK2_3(m, __VA_ARGS__) m(__VA_ARGS__, w, a, 3)
#define KW_WALK3_2(m, ...) m(__VA_ARGS__, x, r, 0) m(__VA_ARGS__, y, g, 1)
#define KW_WALK3_3(m, ...) KW_WALK3_2(m, __VA_ARGS__) m(__VA_ARGS__, z, b, 2)
#define KW_WALK3_4(m, ...) KW_WALK3_3(m, __VA_ARGS__) m(__VA_ARGS__, w, a, 3)
#define KW_WALK4_2(m, ...) m(__VA_ARGS__, x, r, 0) m(__VA_ARGS__, y, g, 1)
#define KW_WALK4_3(m, ...) KW_WALK4_2(m, __VA_ARGS__) m(__VA_ARGS__, z, b, 2)
#define KW_WALK4_4(m, ...) KW_WALK4_3(m, __VA_ARGS__) m(__VA_ARGS__, w, a, 3)

#define KW_PAIRS_2(...) KW_WALK2_2(KW_SWIZZLE_2, __VA_ARGS__)
#define KW_PAIRS_3(...) KW_WALK2_3(KW_SWIZZLE_2, __VA_ARGS__)
#define KW_PAIRS_4(...) KW_WALK2_4(KW_SWIZZLE_2, __VA_ARGS__)
#define KW_TRIPLES_2(...) KW_WALK2_2(KW_TRIPLES_OF_PAIR_2, __VA_ARGS__)
#define KW_TRIPLES_3(...) KW_WALK2_3(KW_TRIPLES_OF_PAIR_3, __VA_ARGS__)
#define KW_TRIPLES_4(...) KW_WALK2_4(KW_TRIPLES_OF_PAIR_4, __VA_ARGS__)
#define KW_TRIPLES_OF_PAIR_2(...) KW_WALK3_2(KW_SWIZZLE_3, __VA_ARGS__)
#define KW_TRIPLES_OF_PAIR_3(...) KW_WALK3_3(KW_SWIZZLE_3, __VA_ARGS__)
#define KW_TRIPLES_OF_PAIR_4(...) KW_WALK3_4(KW_SWIZZLE_3, __VA_ARGS__)
#define KW_QUADS_2(...) KW_WALK2_2(KW_QUADS_OF_PAIR_2, __VA_ARGS__)
#define KW_QUADS_3(...) KW_WALK2_3(KW_QUADS_OF_PAIR_3, __VA_ARGS__)
#define KW_QUADS_4(...) KW_WALK2_4(KW_QUADS_OF_PAIR_4, __VA_ARGS__)
#define KW_QUADS_OF_PAIR_2(...) KW_WALK3_2(KW_QUADS_OF_TRIPLE_2, __VA_ARGS__)
#define KW_QUADS_OF_PAIR_3(...) KW_WALK3_3(KW_QUADS_OF_TRIPLE_3, __VA_ARGS__)
#define KW_QUADS_OF_PAIR_4(...) KW_WALK3_4(KW_QUADS_OF_TRIPLE_4, __VA_ARGS__)
#define KW_QUADS_OF_TRIPLE_2(...) KW_WALK4_2(KW_SWIZZLE_4, __VA_ARGS__)
#define KW_QUADS_OF_TRIPLE_3(...) KW_WALK4_3(KW_SWIZZLE_4, __VA_ARGS__)
#define KW_QUADS_OF_TRIPLE_4(...) KW_WALK4_4(KW_SWIZZLE_4, __VA_ARGS__)

#define KW_SWIZZLES_2 KW_WALK1_2(KW_PAIRS_2) KW_WALK1_2(KW_TRIPLES_2) KW_WALK1_2(KW_QUADS_2)
#define KW_SWIZZLES_3 KW_WALK1_3(KW_PAIRS_3) KW_WALK1_3(KW_TRIPLES_3) KW_WALK1_3(KW_QUADS_3)
#define KW_SWIZZLES_4 KW_WALK1_4(KW_PAIRS_4) KW_WALK1_4(KW_TRIPLES_4) KW_WALK1_4(KW_QUADS_4)
