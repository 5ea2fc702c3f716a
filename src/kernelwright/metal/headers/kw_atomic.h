// Atomics: section 6.15 of the Metal Shading Language Specification 3.2. All of them are relaxed, as in Metal.
#pragma once

#ifdef KW_CHECKED
#define KW_ATOMIC(object, access) kw_atomic_access(object, sizeof(*(object)), access)
#else
#define KW_ATOMIC(object, access) ((void)0)
#endif

namespace metal {
template <class T> struct atomic;
}

namespace kw {
// The integer in which an atomic value is kept.
template <class T> struct atomic_bits {};
template <> struct atomic_bits<int> { typedef int type; };
template <> struct atomic_bits<uint> { typedef uint type; };
template <> struct atomic_bits<bool> { typedef uint type; };
template <> struct atomic_bits<float> { typedef uint type; };
template <> struct atomic_bits<ulong> { typedef ulong type; };
template <class T> using atomic_word = typename atomic_bits<T>::type;

template <class T> KW_FUNC atomic_word<T> encode(T value) {
  if constexpr (__is_same(T, bool)) return value ? 1u : 0u;
  else return __builtin_bit_cast(atomic_word<T>, value);
}
template <class T> KW_FUNC T decode(atomic_word<T> bits) {
  if constexpr (__is_same(T, bool)) return bits != 0;
  else return __builtin_bit_cast(T, bits);
}

// What the specification offers for which type.
template <class T> inline constexpr bool atomic_any = __is_same(T, int) || __is_same(T, uint) || __is_same(T, bool) || __is_same(T, float);
template <class T> inline constexpr bool atomic_adds = __is_same(T, int) || __is_same(T, uint) || __is_same(T, float);
template <class T> inline constexpr bool atomic_integer = __is_same(T, int) || __is_same(T, uint);

// The value's type, not deduced: `atomic_fetch_add_explicit(&sum, 1, ...)` works for every sum.
template <class T> struct exactly { typedef T type; };
template <class T> using value_of = typename exactly<T>::type;

KW_FUNC void let_others_run() {
#ifndef __NVPTX__
  kw_spin();
#endif
}

#ifdef __NVPTX__
// Not volatile: that would be an access to a device of the host's.
template <class T> using atomic_place = atomic_word<T>*;
#else
template <class T> using atomic_place = volatile atomic_word<T>*;
#endif
template <class T> KW_FUNC atomic_place<T> place_of(const volatile metal::atomic<T>* object) {
  return (atomic_place<T>)object;
}

// Replaces the value by f(value) at once and returns the old one.
template <class T, class F> KW_FUNC T atomic_update(volatile metal::atomic<T>* object, F f) {
  const atomic_place<T> place = place_of(object);
  atomic_word<T> old = __atomic_load_n(place, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(place, &old, encode<T>(f(decode<T>(old))), true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return decode<T>(old);
}
}  // namespace kw

namespace metal {
template <class T> struct atomic {
  kw::atomic_word<T> kw_bits;  // reached through the functions below only
};
typedef atomic<int> atomic_int;
typedef atomic<uint> atomic_uint;
typedef atomic<bool> atomic_bool;
typedef atomic<float> atomic_float;
typedef atomic<ulong> atomic_ulong;
template <class T> using _atomic = atomic<T>;

template <class T, class = kw::enable<kw::atomic_any<T>>>
KW_FUNC T atomic_load_explicit(const volatile atomic<T>* object, memory_order) {
  KW_ATOMIC(object, KW_ATOMIC_READ);
  kw::let_others_run();
  return kw::decode<T>(__atomic_load_n(kw::place_of(object), __ATOMIC_RELAXED));
}
template <class T, class = kw::enable<kw::atomic_any<T>>>
KW_FUNC void atomic_store_explicit(volatile atomic<T>* object, kw::value_of<T> desired, memory_order) {
  KW_ATOMIC(object, KW_ATOMIC_WRITE);
  __atomic_store_n(kw::place_of(object), kw::encode<T>(desired), __ATOMIC_RELAXED);
}
template <class T, class = kw::enable<kw::atomic_any<T>>>
KW_FUNC T atomic_exchange_explicit(volatile atomic<T>* object, kw::value_of<T> desired, memory_order) {
  KW_ATOMIC(object, KW_ATOMIC_WRITE);
  kw::let_others_run();
  return kw::decode<T>(__atomic_exchange_n(kw::place_of(object), kw::encode<T>(desired), __ATOMIC_RELAXED));
}
template <class T, class = kw::enable<kw::atomic_any<T>>>
KW_FUNC bool atomic_compare_exchange_weak_explicit(volatile atomic<T>* object, T* expected, kw::value_of<T> desired,
                                                   memory_order, memory_order) {
  KW_ATOMIC(object, KW_ATOMIC_UPDATE);
  kw::let_others_run();
  kw::atomic_word<T> bits = kw::encode<T>(*expected);
  bool done = __atomic_compare_exchange_n(kw::place_of(object), &bits, kw::encode<T>(desired), true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED);
  if (!done) *expected = kw::decode<T>(bits);
  return done;
}

#ifdef __NVPTX__  // one instruction
#define KW_ATOMIC_ADD_FLOAT(sign) return __atomic_fetch_add((float*)kw::place_of(object), sign operand, __ATOMIC_RELAXED)
#else
#define KW_ATOMIC_ADD_FLOAT(sign) return kw::atomic_update(object, [operand](T old) { return old sign operand; })
#endif
#define KW_ATOMIC_ADDS(name, integer, sign)                                                                           \
  template <class T, class = kw::enable<kw::atomic_adds<T>>>                                                           \
  KW_FUNC T name(volatile atomic<T>* object, kw::value_of<T> operand, memory_order) {                                 \
    KW_ATOMIC(object, KW_ATOMIC_UPDATE);                                                                              \
    if constexpr (kw::atomic_integer<T>) return integer(kw::place_of(object), operand, __ATOMIC_RELAXED);             \
    else KW_ATOMIC_ADD_FLOAT(sign);                                                                                   \
  }
KW_ATOMIC_ADDS(atomic_fetch_add_explicit, __atomic_fetch_add, +)
KW_ATOMIC_ADDS(atomic_fetch_sub_explicit, __atomic_fetch_sub, -)
#undef KW_ATOMIC_ADD_FLOAT
#undef KW_ATOMIC_ADDS

#define KW_ATOMIC_BITS(name, integer)                                                                                 \
  template <class T, class = kw::enable<kw::atomic_integer<T>>>                                                        \
  KW_FUNC T name(volatile atomic<T>* object, kw::value_of<T> operand, memory_order) {                                 \
    KW_ATOMIC(object, KW_ATOMIC_UPDATE);                                                                              \
    return integer(kw::place_of(object), operand, __ATOMIC_RELAXED);                                                  \
  }
KW_ATOMIC_BITS(atomic_fetch_and_explicit, __atomic_fetch_and)
KW_ATOMIC_BITS(atomic_fetch_or_explicit, __atomic_fetch_or)
KW_ATOMIC_BITS(atomic_fetch_xor_explicit, __atomic_fetch_xor)
#undef KW_ATOMIC_BITS

#ifdef __NVPTX__
#define KW_ATOMIC_CHOOSE(integer, better) integer(kw::place_of(object), operand, __ATOMIC_RELAXED)
#else
#define KW_ATOMIC_CHOOSE(integer, better) \
  kw::atomic_update(object, [operand](T old) { return operand better old ? operand : old; })
#endif
#define KW_ATOMIC_CHOICE(name, type, allowed, integer, better, result)                                                \
  template <class T, class = kw::enable<allowed>>                                                                      \
  KW_FUNC type name(volatile atomic<T>* object, kw::value_of<T> operand, memory_order) {                              \
    KW_ATOMIC(object, KW_ATOMIC_UPDATE);                                                                              \
    result KW_ATOMIC_CHOOSE(integer, better);                                                                         \
  }
KW_ATOMIC_CHOICE(atomic_fetch_min_explicit, T, kw::atomic_integer<T>, __atomic_fetch_min, <, return)
KW_ATOMIC_CHOICE(atomic_fetch_max_explicit, T, kw::atomic_integer<T>, __atomic_fetch_max, >, return)
#define KW_ULONG (__is_same(T, ulong))
KW_ATOMIC_CHOICE(atomic_min_explicit, void, KW_ULONG, __atomic_fetch_min, <, )
KW_ATOMIC_CHOICE(atomic_max_explicit, void, KW_ULONG, __atomic_fetch_max, >, )
#undef KW_ULONG
#undef KW_ATOMIC_CHOOSE
#undef KW_ATOMIC_CHOICE
}  // namespace metal
