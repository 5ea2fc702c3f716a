// Operators on vectors work component by component; a scalar stands for a vector of equal components. Comparisons give a
// vector of bools.
#pragma once
#include "kw_vector.h"

namespace kw {
// Whether a scalar of type S may stand for vec<T, N>: not where it would lose its fraction.
template <class S, class T>
inline constexpr bool spreads = is_scalar<S> && !(is_floating<S> && is_integer<T> && !same<T, bool>);

// vector_of: the vector type that several arguments have in common. At least one is a vector, packed or not, the others
// are vectors of the same shape or scalars; else there is none (which is no error where overloads are chosen).
template <class... Arguments>
struct first_vector {
  typedef void type;
};
template <class A, class... Rest>
struct first_vector<A, Rest...> : first_vector<Rest...> {};
template <class T, int N, class... Rest>
struct first_vector<metal::vec<T, N>, Rest...> {
  typedef metal::vec<T, N> type;
};
template <class T, int N, class... Rest>
struct first_vector<metal::packed_vec<T, N>, Rest...> {
  typedef metal::vec<T, N> type;
};
template <class V, class A>
inline constexpr bool fits = is_vector<A> ? same<typename shape<A>::element, typename shape<V>::element> &&
                                                shape<A>::size == shape<V>::size
                                          : spreads<A, typename shape<V>::element>;
template <class V, class... Arguments>
inline constexpr bool all_fit = (fits<V, Arguments> && ...);
template <class... Arguments>
inline constexpr bool all_fit<void, Arguments...> = false;

template <class... Arguments>
using vector_of = enable<all_fit<typename first_vector<Arguments...>::type, Arguments...>,
                         typename first_vector<Arguments...>::type>;
}  // namespace kw

namespace metal {
#define KW_BINARY(op, Result)                                                            \
  template <class A, class B, class V = kw::vector_of<A, B>>                             \
  KW_FUNC constexpr Result operator op(const A& a, const B& b) {                         \
    typedef typename kw::shape<Result>::element T;                                       \
    const V left(a), right(b);                                                           \
    Result result{};                                                                     \
    for (int i = 0; i < kw::shape<V>::size; ++i) result.e[i] = T(left.e[i] op right.e[i]); \
    return result;                                                                       \
  }
#define KW_ARITHMETIC(op)                                                                \
  KW_BINARY(op, V)                                                                       \
  template <class T, int N, class B, class V = kw::vector_of<vec<T, N>, B>>              \
  KW_FUNC constexpr vec<T, N>& operator op##=(vec<T, N>& a, const B& b) {                \
    return a = a op b;                                                                   \
  }                                                                                      \
  template <class T, int N, class B, class V = kw::vector_of<packed_vec<T, N>, B>>       \
  KW_FUNC constexpr packed_vec<T, N>& operator op##=(packed_vec<T, N>& a, const B& b) {  \
    return a = a op b;                                                                   \
  }
#define KW_BOOLS vec<bool, kw::shape<V>::size>

KW_ARITHMETIC(+)
KW_ARITHMETIC(-)
KW_ARITHMETIC(*)
KW_ARITHMETIC(/)
KW_ARITHMETIC(%)
KW_ARITHMETIC(&)
KW_ARITHMETIC(|)
KW_ARITHMETIC(^)
KW_ARITHMETIC(<<)
KW_ARITHMETIC(>>)
KW_BINARY(==, KW_BOOLS)
KW_BINARY(!=, KW_BOOLS)
KW_BINARY(<, KW_BOOLS)
KW_BINARY(>, KW_BOOLS)
KW_BINARY(<=, KW_BOOLS)
KW_BINARY(>=, KW_BOOLS)
KW_BINARY(&&, KW_BOOLS)
KW_BINARY(||, KW_BOOLS)
#undef KW_ARITHMETIC
#undef KW_BINARY

#define KW_UNARY(op, Result)                                                             \
  template <class A, class V = kw::vector_of<A>>                                         \
  KW_FUNC constexpr Result operator op(const A& a) {                                     \
    typedef typename kw::shape<Result>::element T;                                       \
    const V value(a);                                                                    \
    Result result{};                                                                     \
    for (int i = 0; i < kw::shape<V>::size; ++i) result.e[i] = T(op value.e[i]);         \
    return result;                                                                       \
  }
KW_UNARY(+, V)
KW_UNARY(-, V)
KW_UNARY(~, V)
KW_UNARY(!, KW_BOOLS)
#undef KW_UNARY
#undef KW_BOOLS

#define KW_STEP(op, by)                                                                  \
  template <class T, int N>                                                              \
  KW_FUNC constexpr vec<T, N>& operator op(vec<T, N>& a) {                               \
    return a by 1;                                                                       \
  }                                                                                      \
  template <class T, int N>                                                              \
  KW_FUNC constexpr vec<T, N> operator op(vec<T, N>& a, int) {                           \
    const vec<T, N> before = a;                                                          \
    a by 1;                                                                              \
    return before;                                                                       \
  }
KW_STEP(++, +=)
KW_STEP(--, -=)
#undef KW_STEP
}  // namespace metal

// Functions of namespace metal, defined for scalars before, on vectors: `scalars` says which component types they take.
#define KW_ON_VECTORS_1(name, scalars)                                                   \
  template <class A, class V = kw::vector_of<A>,                                         \
            kw::enable<scalars<typename kw::shape<V>::element>> = 0>                     \
  KW_FUNC constexpr V name(const A& a) {                                                 \
    typedef typename kw::shape<V>::element T;                                            \
    V x(a), result{};                                                                    \
    for (int i = 0; i < kw::shape<V>::size; ++i) result.e[i] = T(name(x.e[i]));          \
    return result;                                                                       \
  }
#define KW_ON_VECTORS_2(name, scalars)                                                   \
  template <class A, class B, class V = kw::vector_of<A, B>,                             \
            kw::enable<scalars<typename kw::shape<V>::element>> = 0>                     \
  KW_FUNC constexpr V name(const A& a, const B& b) {                                     \
    typedef typename kw::shape<V>::element T;                                            \
    V x(a), y(b), result{};                                                              \
    for (int i = 0; i < kw::shape<V>::size; ++i) result.e[i] = T(name(x.e[i], y.e[i]));  \
    return result;                                                                       \
  }
#define KW_ON_VECTORS_3(name, scalars)                                                   \
  template <class A, class B, class C, class V = kw::vector_of<A, B, C>,                 \
            kw::enable<scalars<typename kw::shape<V>::element>> = 0>                     \
  KW_FUNC constexpr V name(const A& a, const B& b, const C& c) {                         \
    typedef typename kw::shape<V>::element T;                                            \
    V x(a), y(b), z(c), result{};                                                        \
    for (int i = 0; i < kw::shape<V>::size; ++i)                                         \
      result.e[i] = T(name(x.e[i], y.e[i], z.e[i]));                                     \
    return result;                                                                       \
  }
