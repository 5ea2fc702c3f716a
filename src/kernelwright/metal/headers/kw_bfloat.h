// bfloat (specification, 2.1). A class, because clang's __bf16 cannot be cast to _Float16.
//
// Conversions follow Metal's: to and from integers and to float implicitly, from float and to or from half only when
// asked for.
#pragma once

namespace kw {
template <class T>
T&& value_of_type();
template <class T, class = bfloat>
inline constexpr bool becomes_bfloat = false;  // by a conversion of its own
template <class T>
inline constexpr bool becomes_bfloat<T, decltype(value_of_type<const T&>().operator bfloat())> = true;

// Classes come in by way of the number that they convert to.
template <class T>
inline constexpr bool is_other_class = __is_class(T) && !same<T, bfloat>;
template <class T>
inline constexpr bool enters_bfloat =
    is_integer<T> || __is_enum(T) || (is_other_class<T> && __is_convertible(const T&, bool) && !becomes_bfloat<T>);
template <class T>
inline constexpr bool enters_bfloat_explicitly =
    same<T, float> || same<T, half> || (is_other_class<T> && !enters_bfloat<T> && __is_convertible(const T&, float));
}  // namespace kw

struct bfloat {
  ushort bits;

  bfloat() = default;
  template <class T, kw::enable<kw::enters_bfloat<T>> = 0>
  KW_FUNC constexpr bfloat(T value) : bits(kw::round_to_bfloat(float(value))) {}
  template <class T, kw::enable<kw::enters_bfloat_explicitly<T>> = 0, class = void>
  KW_FUNC constexpr explicit bfloat(T value) : bits(kw::round_to_bfloat(float(value))) {}

  // Templates, so that no second conversion, say from float to half, can follow unasked.
  template <class T, kw::enable<kw::same<T, float>> = 0>
  KW_FUNC constexpr operator T() const {
    return __builtin_bit_cast(float, uint(bits) << 16);
  }
  template <class T, kw::enable<kw::is_integer<T>> = 0, class = void>
  KW_FUNC constexpr operator T() const {
    return T(float(*this));
  }
  template <class T, kw::enable<kw::same<T, half>> = 0, class = void, class = void>
  KW_FUNC constexpr explicit operator T() const {
    return T(float(*this));
  }

#define KW_ASSIGNS(op)                                                   \
  template <class T, kw::enable<kw::is_scalar<T>> = 0>                   \
  KW_FUNC constexpr bfloat& operator op##=(T other) {                    \
    return *this = bfloat(float(*this) op float(other));                 \
  }
  KW_ASSIGNS(+)
  KW_ASSIGNS(-)
  KW_ASSIGNS(*)
  KW_ASSIGNS(/)
#undef KW_ASSIGNS

  KW_FUNC constexpr bfloat operator+() const { return *this; }
  KW_FUNC constexpr bfloat operator-() const { return __builtin_bit_cast(bfloat, ushort(bits ^ 0x8000)); }
  KW_FUNC constexpr bfloat& operator++() { return *this += 1; }
  KW_FUNC constexpr bfloat& operator--() { return *this -= 1; }
  KW_FUNC constexpr bfloat operator++(int) {
    const bfloat before = *this;
    *this += 1;
    return before;
  }
  KW_FUNC constexpr bfloat operator--(int) {
    const bfloat before = *this;
    *this -= 1;
    return before;
  }
};

// With its own kind and with integers a bfloat gives a bfloat, with a float it gives a float, with a half nothing:
// neither of the two can hold the other.
#define KW_COMPUTES(op)                                                                                            \
  KW_FUNC constexpr bfloat operator op(bfloat a, bfloat b) { return bfloat(float(a) op float(b)); }                \
  template <class T, kw::enable<kw::is_integer<T>> = 0>                                                            \
  KW_FUNC constexpr bfloat operator op(bfloat a, T b) {                                                            \
    return bfloat(float(a) op float(b));                                                                           \
  }                                                                                                                \
  template <class T, kw::enable<kw::is_integer<T>> = 0>                                                            \
  KW_FUNC constexpr bfloat operator op(T a, bfloat b) {                                                            \
    return bfloat(float(a) op float(b));                                                                           \
  }                                                                                                                \
  KW_FUNC constexpr float operator op(bfloat a, float b) { return float(a) op b; }                                 \
  KW_FUNC constexpr float operator op(float a, bfloat b) { return a op float(b); }                                 \
  float operator op(bfloat, half) = delete;                                                                        \
  float operator op(half, bfloat) = delete;
KW_COMPUTES(+)
KW_COMPUTES(-)
KW_COMPUTES(*)
KW_COMPUTES(/)
#undef KW_COMPUTES

// Into a variable of another type.
#define KW_ASSIGNS(op)                                                      \
  template <class T, kw::enable<kw::is_integer<T> || kw::same<T, float>> = 0> \
  KW_FUNC constexpr T& operator op##=(T& a, bfloat b) {                     \
    return a = T(float(a) op float(b));                                     \
  }
KW_ASSIGNS(+)
KW_ASSIGNS(-)
KW_ASSIGNS(*)
KW_ASSIGNS(/)
#undef KW_ASSIGNS

#define KW_COMPARES(op)                                                                                            \
  KW_FUNC constexpr bool operator op(bfloat a, bfloat b) { return float(a) op float(b); }                          \
  template <class T, kw::enable<kw::is_integer<T> || kw::same<T, float>> = 0>                                      \
  KW_FUNC constexpr bool operator op(bfloat a, T b) {                                                              \
    return float(a) op float(b);                                                                                   \
  }                                                                                                                \
  template <class T, kw::enable<kw::is_integer<T> || kw::same<T, float>> = 0>                                      \
  KW_FUNC constexpr bool operator op(T a, bfloat b) {                                                              \
    return float(a) op float(b);                                                                                   \
  }
KW_COMPARES(==)
KW_COMPARES(!=)
KW_COMPARES(<)
KW_COMPARES(>)
KW_COMPARES(<=)
KW_COMPARES(>=)
#undef KW_COMPARES

// What type an integer has that is one answer of a conditional operator, the `0` of `c ? x : 0`. Beside a bfloat it is a
// bfloat: C++ would not know which of the two to convert. (Pointers are here for their null.)
namespace kw {
template <class T>
int beside(const T&);
template <class T>
T* beside(T*);
bfloat beside(const bfloat&);
}  // namespace kw
