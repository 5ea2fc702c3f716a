// Vectors: vec<T, N> as float4 and its kin, and packed_vec<T, N>, which is aligned like one component.
//
// Classes, because clang's own vector types do not know float4(a, b, c, d). Their operators are in kw_operators.h.
#pragma once
#include "kw_swizzle.h"

namespace kw {
// The components and their names.
template <class T, int N, int alignment>
struct components;
template <class T, int alignment>
struct alignas(alignment) components<T, 2, alignment> {
  union {
    T e[2];
    struct { T x, y; };
    struct { T r, g; };
  };
  KW_SWIZZLES_2
};
template <class T, int alignment>
struct alignas(alignment) components<T, 3, alignment> {
  union {
    T e[3];
    struct { T x, y, z; };
    struct { T r, g, b; };
  };
  KW_SWIZZLES_3
};
template <class T, int alignment>
struct alignas(alignment) components<T, 4, alignment> {
  union {
    T e[4];
    struct { T x, y, z, w; };
    struct { T r, g, b, a; };
  };
  KW_SWIZZLES_4
};

template <class T, int N>
using aligned_components = components<T, N, sizeof(T) * (N == 3 ? 4 : N)>;
template <class T, int N>
using packed_components = components<T, N, alignof(T)>;
}  // namespace kw

namespace metal {
template <class T, int N>
struct packed_vec;
}

// Before loops over components. Checked programs are compiled without unrolling loops; the accesses to a vector's
// components must be different places of the program there, for the runtime to see that they are one access of a GPU.
#ifdef KW_CHECKED
#define KW_EACH_COMPONENT _Pragma("clang loop unroll(full)")
#else
#define KW_EACH_COMPONENT
#endif

namespace kw {
// What a type is as a vector: its component type and their number. Scalars have no components.
template <class T>
struct shape {
  typedef void element;
  static constexpr int size = 0;
};
template <class T, int N>
struct shape<metal::vec<T, N>> {
  typedef T element;
  static constexpr int size = N;
};
template <class T, int N>
struct shape<metal::packed_vec<T, N>> : shape<metal::vec<T, N>> {};
template <class T>
inline constexpr bool is_vector = shape<T>::size != 0;

// A part of float4(part, part, ...): a scalar, or a vector of the same component type.
template <class T, class Part>
inline constexpr int width = is_scalar<Part> ? 1 : same<typename shape<Part>::element, T> ? shape<Part>::size : -100;
template <class T, int N, class... Parts>
inline constexpr bool are_parts = (is_vector<Parts> || ...) && (width<T, Parts> + ...) == N;
template <int N, class... Parts>
inline constexpr bool are_scalars = sizeof...(Parts) <= N && (is_scalar<Parts> && ...);

template <class T, class Part>
KW_FUNC constexpr void put(T* components, int& i, const Part& part) {
  if constexpr (is_vector<Part>) {
    KW_EACH_COMPONENT
    for (int j = 0; j < shape<Part>::size; ++j) components[i++] = part.e[j];
  } else {
    components[i++] = T(part);
  }
}
}  // namespace kw

namespace metal {
// What both kinds of vectors can be made from. Where fewer scalars are given than there are components, as in
// uint3 v = {1, 2}, the others are zero.
#define KW_CONSTRUCTORS(name, base)                                                                                \
  name() = default;                                                                                                \
  template <class S, kw::enable<kw::is_scalar<S>> = 0>                                                             \
  KW_FUNC constexpr name(S value) : base{} {                                                                       \
    KW_EACH_COMPONENT                                                                                              \
    for (int i = 0; i < N; ++i) this->e[i] = T(value);                                                             \
  }                                                                                                                \
  template <class A, class B, class... S, kw::enable<kw::are_scalars<N, A, B, S...>> = 0>                          \
  KW_FUNC constexpr name(A first, B second, S... more) : base{{{T(first), T(second), T(more)...}}} {}              \
  template <class A, class B, class... S, kw::enable<kw::are_parts<T, N, A, B, S...>> = 0, class = void>           \
  KW_FUNC constexpr name(const A& first, const B& second, const S&... more) : base{} {                             \
    int i = 0;                                                                                                     \
    kw::put(this->e, i, first);                                                                                    \
    kw::put(this->e, i, second);                                                                                   \
    (kw::put(this->e, i, more), ...);                                                                              \
  }                                                                                                                \
  template <class U, kw::enable<!kw::same<U, T>> = 0>                                                              \
  KW_FUNC constexpr explicit name(const vec<U, N>& other) : base{} {                                               \
    KW_EACH_COMPONENT                                                                                              \
    for (int i = 0; i < N; ++i) this->e[i] = T(other.e[i]);                                                        \
  }                                                                                                                \
  template <class U, kw::enable<!kw::same<U, T>> = 0>                                                              \
  KW_FUNC constexpr explicit name(const packed_vec<U, N>& other) : base{} {                                        \
    KW_EACH_COMPONENT                                                                                              \
    for (int i = 0; i < N; ++i) this->e[i] = T(other.e[i]);                                                        \
  }                                                                                                                \
  KW_FUNC constexpr T& operator[](size_t i) { return this->e[i]; }                                                 \
  KW_FUNC constexpr const T& operator[](size_t i) const { return this->e[i]; }                                     \
  KW_FUNC constexpr volatile T& operator[](size_t i) volatile { return this->e[i]; }                               \
  KW_FUNC constexpr const volatile T& operator[](size_t i) const volatile { return this->e[i]; }

template <class T, int N = 4>
struct vec : kw::aligned_components<T, N> {
  typedef kw::aligned_components<T, N> kw_base;
  KW_CONSTRUCTORS(vec, kw_base)
#ifdef KW_CHECKED
  // No mere moving of bytes: of such copies the compiler does not check where they come from and go to.
  KW_FUNC constexpr vec(const vec& other) : kw_base{} {
    KW_EACH_COMPONENT
    for (int i = 0; i < N; ++i) this->e[i] = other.e[i];
  }
  KW_FUNC constexpr vec& operator=(const vec& other) {
    KW_EACH_COMPONENT
    for (int i = 0; i < N; ++i) this->e[i] = other.e[i];
    return *this;
  }
#endif
  KW_FUNC constexpr vec(const packed_vec<T, N>& other) : kw_base{} {
    KW_EACH_COMPONENT
    for (int i = 0; i < N; ++i) this->e[i] = other.e[i];
  }
};

template <class T, int N>
struct packed_vec : kw::packed_components<T, N> {
  typedef kw::packed_components<T, N> kw_base;
  KW_CONSTRUCTORS(packed_vec, kw_base)
  KW_FUNC constexpr packed_vec(const vec<T, N>& other) : kw_base{} {
    KW_EACH_COMPONENT
    for (int i = 0; i < N; ++i) this->e[i] = other.e[i];
  }
};
#undef KW_CONSTRUCTORS
}  // namespace metal

#define KW_NAMES(T)                                                                                      \
  typedef metal::vec<T, 2> T##2;                                                                         \
  typedef metal::vec<T, 3> T##3;                                                                         \
  typedef metal::vec<T, 4> T##4;                                                                         \
  typedef metal::packed_vec<T, 2> packed_##T##2;                                                         \
  typedef metal::packed_vec<T, 3> packed_##T##3;                                                         \
  typedef metal::packed_vec<T, 4> packed_##T##4;                                                         \
  namespace metal {                                                                                      \
  using ::T##2;                                                                                          \
  using ::T##3;                                                                                          \
  using ::T##4;                                                                                          \
  using ::packed_##T##2;                                                                                 \
  using ::packed_##T##3;                                                                                 \
  using ::packed_##T##4;                                                                                 \
  }
KW_NAMES(bool)
KW_NAMES(char)
KW_NAMES(uchar)
KW_NAMES(short)
KW_NAMES(ushort)
KW_NAMES(int)
KW_NAMES(uint)
KW_NAMES(long)
KW_NAMES(ulong)
KW_NAMES(half)
KW_NAMES(bfloat)
KW_NAMES(float)
#undef KW_NAMES

#include "kw_operators.h"
