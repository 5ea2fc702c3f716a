// array, pair and index sequences (<metal_array>, <metal_utility>).
#pragma once
#include "kw_types.h"

namespace metal {
template <class T, T... I>
struct integer_sequence {
  typedef T value_type;
  static KW_FUNC constexpr size_t size() { return sizeof...(I); }
};
template <class T, T n>
using make_integer_sequence = __make_integer_seq<integer_sequence, T, n>;
template <size_t... I>
using index_sequence = integer_sequence<size_t, I...>;
template <size_t n>
using make_index_sequence = make_integer_sequence<size_t, n>;

template <class A, class B>
struct pair {
  A first;
  B second;
};
template <class A, class B>
KW_FUNC constexpr pair<A, B> make_pair(A a, B b) {
  return {a, b};
}

template <class T, size_t N>
struct array {
  typedef T value_type;
  typedef T* iterator;
  typedef const T* const_iterator;

  T kw_elements[N];

  KW_FUNC constexpr T& operator[](size_t i) { return kw_elements[i]; }
  KW_FUNC constexpr const T& operator[](size_t i) const { return kw_elements[i]; }
  static KW_FUNC constexpr size_t size() { return N; }
  static KW_FUNC constexpr size_t max_size() { return N; }
  static KW_FUNC constexpr bool empty() { return false; }
  KW_FUNC constexpr T* data() { return kw_elements; }
  KW_FUNC constexpr const T* data() const { return kw_elements; }
  KW_FUNC constexpr T* begin() { return kw_elements; }
  KW_FUNC constexpr const T* begin() const { return kw_elements; }
  KW_FUNC constexpr T* end() { return kw_elements + N; }
  KW_FUNC constexpr const T* end() const { return kw_elements + N; }
  KW_FUNC constexpr T& front() { return kw_elements[0]; }
  KW_FUNC constexpr const T& front() const { return kw_elements[0]; }
  KW_FUNC constexpr T& back() { return kw_elements[N - 1]; }
  KW_FUNC constexpr const T& back() const { return kw_elements[N - 1]; }
  KW_FUNC constexpr void fill(const T& value) {
    for (size_t i = 0; i < N; ++i) kw_elements[i] = value;
  }
};
template <class T, class... Rest>
array(T, Rest...) -> array<T, 1 + sizeof...(Rest)>;
}  // namespace metal
