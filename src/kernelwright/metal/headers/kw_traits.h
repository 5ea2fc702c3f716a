// Type traits: what <metal_type_traits> and <metal_utility> offer. Their names and meanings are those of the C++ library.
#pragma once
#include "kw_types.h"

namespace metal {
template <class T, int N>
struct vec;

template <class T, T v>
struct integral_constant {
  static constexpr T value = v;
  typedef T value_type;
  typedef integral_constant type;
  KW_FUNC constexpr operator T() const { return v; }
  KW_FUNC constexpr T operator()() const { return v; }
};
template <bool b>
using bool_constant = integral_constant<bool, b>;
typedef bool_constant<true> true_type;
typedef bool_constant<false> false_type;

// ---- choosing

template <bool condition, class T = void>
struct enable_if {};
template <class T>
struct enable_if<true, T> {
  typedef T type;
};
template <bool condition, class T = void>
using enable_if_t = typename enable_if<condition, T>::type;

template <bool condition, class A, class B>
struct conditional {
  typedef A type;
};
template <class A, class B>
struct conditional<false, A, B> {
  typedef B type;
};
template <bool condition, class A, class B>
using conditional_t = typename conditional<condition, A, B>::type;

// ---- changing a type

#define KW_CHANGE(name, ...)     \
  template <class T>             \
  struct name {                  \
    typedef __VA_ARGS__ type;    \
  };                             \
  template <class T>             \
  using name##_t = __VA_ARGS__;
KW_CHANGE(remove_cv, __remove_cv(T))
KW_CHANGE(remove_const, __remove_const(T))
KW_CHANGE(remove_volatile, __remove_volatile(T))
KW_CHANGE(remove_reference, __remove_reference_t(T))
KW_CHANGE(remove_pointer, __remove_pointer(T))
KW_CHANGE(remove_extent, __remove_extent(T))
KW_CHANGE(remove_addrspace, T)  // there are none
KW_CHANGE(make_signed, __make_signed(T))
KW_CHANGE(make_unsigned, __make_unsigned(T))
KW_CHANGE(decay, __decay(T))
KW_CHANGE(add_const, const T)
KW_CHANGE(add_volatile, volatile T)
KW_CHANGE(add_cv, const volatile T)
KW_CHANGE(add_pointer, __add_pointer(T))
KW_CHANGE(add_lvalue_reference, __add_lvalue_reference(T))
KW_CHANGE(underlying_type, __underlying_type(T))
#undef KW_CHANGE
template <class T>
using remove_cvref_t = __remove_cv(__remove_reference_t(T));

// ---- asking about a type

#define KW_ASK(name, ...)                               \
  template <class T>                                    \
  inline constexpr bool name##_v = __VA_ARGS__;         \
  template <class T>                                    \
  struct name : bool_constant<name##_v<T>> {};
}  // namespace metal
namespace kw {
// The type of one component. Metal's traits say of a vector what they say of its components.
template <class T>
struct component {
  typedef T type;
};
template <class T, int N>
struct component<metal::vec<T, N>> {
  typedef T type;
};
template <class T>
using component_of = typename component<__remove_cv(T)>::type;
}  // namespace kw
namespace metal {
KW_ASK(is_integral, kw::is_integer<kw::component_of<T>>)
KW_ASK(is_floating_point, kw::is_floating<kw::component_of<T>>)
KW_ASK(is_arithmetic, is_integral_v<T> || is_floating_point_v<T>)
KW_ASK(is_signed, is_floating_point_v<T> || __is_signed(kw::component_of<T>))
KW_ASK(is_unsigned, __is_unsigned(kw::component_of<T>))
KW_ASK(is_scalar, kw::is_scalar<__remove_cv(T)> || __is_pointer(T))
KW_ASK(is_enum, __is_enum(T))
KW_ASK(is_void, __is_void(T))
KW_ASK(is_class, __is_class(T))
KW_ASK(is_union, __is_union(T))
KW_ASK(is_pointer, __is_pointer(T))
KW_ASK(is_reference, __is_reference(T))
KW_ASK(is_lvalue_reference, __is_lvalue_reference(T))
KW_ASK(is_array, __is_array(T))
KW_ASK(is_function, __is_function(T))
KW_ASK(is_const, __is_const(T))
KW_ASK(is_volatile, __is_volatile(T))
KW_ASK(is_trivial, __is_trivial(T))
KW_ASK(is_trivially_copyable, __is_trivially_copyable(T))
KW_ASK(is_standard_layout, __is_standard_layout(T))
#undef KW_ASK

#define KW_ASK_BOTH(name, ...)                          \
  template <class A, class B>                           \
  inline constexpr bool name##_v = __VA_ARGS__;         \
  template <class A, class B>                           \
  struct name : bool_constant<name##_v<A, B>> {};
KW_ASK_BOTH(is_same, __is_same(A, B))
KW_ASK_BOTH(is_convertible, __is_convertible(A, B))
KW_ASK_BOTH(is_base_of, __is_base_of(A, B))
KW_ASK_BOTH(is_assignable, __is_assignable(A, B))
#undef KW_ASK_BOTH
template <class T, class... A>
inline constexpr bool is_constructible_v = __is_constructible(T, A...);
template <class T, class... A>
struct is_constructible : bool_constant<is_constructible_v<T, A...>> {};

// ---- joining answers

template <class...>
struct conjunction : true_type {};
template <class A, class... Rest>
struct conjunction<A, Rest...> : conditional_t<bool(A::value), conjunction<Rest...>, false_type> {};
template <class... A>
inline constexpr bool conjunction_v = conjunction<A...>::value;
template <class...>
struct disjunction : false_type {};
template <class A, class... Rest>
struct disjunction<A, Rest...> : conditional_t<bool(A::value), true_type, disjunction<Rest...>> {};
template <class... A>
inline constexpr bool disjunction_v = disjunction<A...>::value;
template <class... A>
using _disjunction = disjunction<A...>;
template <class A>
struct negation : bool_constant<!bool(A::value)> {};
template <class A>
inline constexpr bool negation_v = negation<A>::value;

// ---- expressions

template <class T>
T&& declval() noexcept;

template <class F, class... A>
struct invoke_result {
  typedef decltype(declval<F>()(declval<A>()...)) type;
};
template <class F, class... A>
using invoke_result_t = typename invoke_result<F, A...>::type;
template <class F>
struct result_of;
template <class F, class... A>
struct result_of<F(A...)> : invoke_result<F, A...> {};
template <class F>
using result_of_t = typename result_of<F>::type;

template <class A, class B>
struct common_type {
  typedef __decay(decltype(true ? declval<A>() : declval<B>())) type;
};
template <class A, class B>
using common_type_t = typename common_type<A, B>::type;

// A value that all threads of a threadgroup agree on; here a promise that nobody uses.
template <class T>
using uniform = T;
template <class T>
KW_FUNC constexpr T make_uniform(T value) {
  return value;
}
}  // namespace metal
