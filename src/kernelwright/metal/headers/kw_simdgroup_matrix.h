// simdgroup_matrix: sections 2.13 and 6.7 of the Metal Shading Language Specification 3.2.
//
// A matrix belongs to all threads of a SIMD-group. On the CPU the first thread does the work of all: it holds the whole
// matrix, loads, multiplies and stores it, and the other 31 do nothing and wait for nobody. That ends for a matrix whose
// thread_elements() are asked for: from then on each thread holds its own two elements, and the threads meet to
// multiply. Checked programs hold all matrices that way, so that every access to memory is that of a thread of its own
// and operations that not all threads reach are seen. NVIDIA GPUs have no other way either.
#pragma once
#include "kw_lanes.h"

namespace kw {
// Where the two elements of a lane stand: in a row, side by side. Apple documents no layout; this is the one of its GPUs.
struct ElementPlace {
  uint row, column;
  KW_FUNC explicit ElementPlace(uint lane)
      : row((lane >> 2 & 4) | (lane >> 1 & 3)), column((lane >> 1 & 4) | (lane << 1 & 2)) {}
};

#ifdef __NVPTX__
inline constexpr bool always_spread = true;
struct Tile {};
KW_FUNC bool leads() { return false; }
KW_FUNC void load_tile(Tile&, ...) {}
#else

#ifdef KW_CHECKED
inline constexpr bool always_spread = true;
#else
inline constexpr bool always_spread = false;
#endif

typedef float Row __attribute__((ext_vector_type(8)));
typedef half HalfRow __attribute__((ext_vector_type(8)));
typedef ushort BitsRow __attribute__((ext_vector_type(8)));
typedef uint WideRow __attribute__((ext_vector_type(8)));

// The elements of a matrix as float, which holds every half and bfloat.
struct Tile {
  Row row[8];
};

KW_FUNC bool leads() { return lane() == 0; }

// Eight neighbouring elements of memory, as float and back.
template <class T> KW_FUNC Row load_row(const T* source) {
  Row row;
  if constexpr (__is_same(T, float)) {
    __builtin_memcpy(&row, source, sizeof row);
  } else if constexpr (__is_same(T, half)) {
    HalfRow narrow;
    __builtin_memcpy(&narrow, source, sizeof narrow);
    row = __builtin_convertvector(narrow, Row);
  } else {
    BitsRow bits;
    __builtin_memcpy(&bits, source, sizeof bits);
    row = __builtin_bit_cast(Row, __builtin_convertvector(bits, WideRow) << 16);
  }
  return row;
}
template <class T> KW_FUNC void store_row(Row row, T* target) {
  if constexpr (__is_same(T, float)) {
    __builtin_memcpy(target, &row, sizeof row);
  } else if constexpr (__is_same(T, half)) {
    const HalfRow narrow = __builtin_convertvector(row, HalfRow);
    __builtin_memcpy(target, &narrow, sizeof narrow);
  } else {
    for (int i = 0; i < 8; i++) target[i] = T(row[i]);
  }
}

// Each element rounded to T.
template <class T> KW_FUNC void round_to(Tile& tile) {
  if constexpr (!__is_same(T, float)) {
    for (int r = 0; r < 8; r++) {
      T narrow[8];
      store_row(tile.row[r], narrow);
      tile.row[r] = load_row(narrow);
    }
  }
}

KW_FUNC Tile multiply_accumulate(const Tile& a, const Tile& b, const Tile& c) {
  Tile d = c;
#pragma clang loop unroll(full)
  for (int k = 0; k < 8; k++)
#pragma clang loop unroll(full)
    for (int r = 0; r < 8; r++) d.row[r] += Row(a.row[r][k]) * b.row[k];
  return d;
}
#endif
}  // namespace kw

namespace metal {
template <class T, int Columns, int Rows> class simdgroup_matrix;

template <class T> class simdgroup_matrix<T, 8, 8> {
  static_assert(__is_same(T, float) || __is_same(T, half) || __is_same(T, bfloat),
                "simdgroup_matrix has elements of type float, half or bfloat");

 public:
  simdgroup_matrix() = default;
  // `value` on the diagonal, 0 elsewhere.
  KW_FUNC explicit simdgroup_matrix(T value) {
    if (kw_spread) {
      const kw::ElementPlace place(kw::lane());
      kw_pair.e[0] = place.row == place.column ? value : T(0);
      kw_pair.e[1] = place.row == place.column + 1 ? value : T(0);
    } else {
      kw_fill([value](uint row, uint column) { return row == column ? float(value) : 0.0f; });
    }
  }
  KW_FUNC simdgroup_matrix(const simdgroup_matrix& other) { kw_take(other); }
  KW_FUNC simdgroup_matrix& operator=(const simdgroup_matrix& other) {
    kw_take(other);
    return *this;
  }

  // This thread's two elements; writes to them change the matrix.
  KW_FUNC vec<T, 2>& thread_elements(KW_HERE) {
    kw_spread_out(file, line);
    return kw_pair;
  }
  KW_FUNC const vec<T, 2>& thread_elements(KW_HERE) const {
    kw_spread_out(file, line);
    return kw_pair;
  }

  // The rest is for the functions below.
  mutable kw::Tile kw_tile;            // of the first thread, unless spread
  mutable vec<T, 2> kw_pair;           // of each thread, once spread
  mutable bool kw_spread = kw::always_spread;
  mutable bool kw_written = false;     // while not spread: there are elements to spread

  template <class F> KW_FUNC void kw_fill(F element) {
#ifndef __NVPTX__
    kw_written = true;
    if (!kw::leads()) return;
    for (uint row = 0; row < 8; row++)
      for (uint column = 0; column < 8; column++) kw_tile.row[row][column] = element(row, column);
#endif
  }

  KW_FUNC void kw_take(const simdgroup_matrix& other) {
    kw_spread = other.kw_spread;
    kw_written = other.kw_written;
    if (kw_spread) kw_pair = other.kw_pair;
    else if (kw::leads()) kw_tile = other.kw_tile;
  }

  KW_FUNC void kw_spread_out(const char* file, uint line) const {
#ifndef __NVPTX__
    if (kw_spread) return;
    kw_spread = true;
    if (!kw_written) return;
    const KwMeeting meeting = kw_meet_result(kw::leads() ? &kw_tile : nullptr, sizeof kw_tile, line, file, "thread_elements");
    kw_get(reinterpret_cast<const float*>(meeting.exchange->result), uint(meeting.lane));
#endif
  }

  // Takes its two elements from all 64 of them.
  KW_FUNC void kw_get(const float* elements, uint lane) const {
    const kw::ElementPlace place(lane);
    kw_pair.e[0] = T(elements[place.row * 8 + place.column]);
    kw_pair.e[1] = T(elements[place.row * 8 + place.column + 1]);
  }
};

typedef simdgroup_matrix<float, 8, 8> simdgroup_float8x8;
typedef simdgroup_matrix<half, 8, 8> simdgroup_half8x8;
typedef simdgroup_matrix<bfloat, 8, 8> simdgroup_bfloat8x8;

template <class T, int Columns = 8, int Rows = 8>
KW_FUNC simdgroup_matrix<T, Columns, Rows> make_filled_simdgroup_matrix(T value) {
  simdgroup_matrix<T, Columns, Rows> matrix;
  if (matrix.kw_spread) matrix.kw_pair = vec<T, 2>(value);
  else matrix.kw_fill([value](uint, uint) { return float(value); });
  return matrix;
}

template <class T>
KW_FUNC void simdgroup_load(simdgroup_matrix<T, 8, 8>& d, const T* source, ulong elements_per_row = 8,
                            ulong2 matrix_origin = ulong2(0), bool transpose_matrix = false) {
  source += matrix_origin.e[1] * elements_per_row + matrix_origin.e[0];
  if (d.kw_spread) {
    const kw::ElementPlace place(kw::lane());
    const ulong down = transpose_matrix ? 1 : elements_per_row, right = transpose_matrix ? elements_per_row : 1;
    source += place.row * down + place.column * right;
    d.kw_pair.e[0] = source[0];
    d.kw_pair.e[1] = source[right];
    return;
  }
#ifndef __NVPTX__
  if (transpose_matrix) {
    d.kw_fill([=](uint row, uint column) { return float(source[column * elements_per_row + row]); });
    return;
  }
  d.kw_written = true;
  if (!kw::leads()) return;
  for (uint row = 0; row < 8; row++) d.kw_tile.row[row] = kw::load_row(source + row * elements_per_row);
#endif
}

template <class T>
KW_FUNC void simdgroup_store(const simdgroup_matrix<T, 8, 8>& a, T* target, ulong elements_per_row = 8,
                             ulong2 matrix_origin = ulong2(0), bool transpose_matrix = false) {
  target += matrix_origin.e[1] * elements_per_row + matrix_origin.e[0];
  if (a.kw_spread) {
    const kw::ElementPlace place(kw::lane());
    const ulong down = transpose_matrix ? 1 : elements_per_row, right = transpose_matrix ? elements_per_row : 1;
    target += place.row * down + place.column * right;
    target[0] = a.kw_pair.e[0];
    target[right] = a.kw_pair.e[1];
    return;
  }
#ifndef __NVPTX__
  if (!kw::leads()) return;
  for (uint row = 0; row < 8; row++) {
    if (!transpose_matrix) {
      kw::store_row(a.kw_tile.row[row], target + row * elements_per_row);
      continue;
    }
    for (uint column = 0; column < 8; column++) target[column * elements_per_row + row] = T(a.kw_tile.row[row][column]);
  }
#endif
}
}  // namespace metal

namespace kw {
// A thread's elements of the three operands.
struct Operands {
  float a[2], b[2], c[2];
};

template <class D, class A, class B, class C>
KW_FUNC Operands operands(const A& a, const B& b, const C& c) {
  return {{float(a.kw_pair.e[0]), float(a.kw_pair.e[1])},
          {float(b.kw_pair.e[0]), float(b.kw_pair.e[1])},
          {float(c.kw_pair.e[0]), float(c.kw_pair.e[1])}};
}

#ifdef __NVPTX__
// The lane that holds an element; the inverse of ElementPlace.
KW_FUNC uint holder(uint row, uint column) {
  return (row & 4) << 2 | (column & 4) << 1 | (row & 3) << 1 | (column >> 1 & 1);
}
// What a lane has. Assembly without effects: of a matrix that is multiplied with several, the compiler asks only once.
KW_FUNC float element_of(uint lane, float mine) {
  float found;
  asm("shfl.sync.idx.b32 %0, %1, %2, 31, -1;" : "=f"(found) : "f"(mine), "r"(lane));
  return found;
}
template <class D> KW_FUNC void multiply_spread(metal::simdgroup_matrix<D, 8, 8>& d, const Operands& mine) {
  const ElementPlace place(lane());
  float sum[2] = {mine.c[0], mine.c[1]};
#pragma clang loop unroll(full)
  for (uint k = 0; k < 8; k++) {
    const uint right = holder(k, place.column);
    const float a = element_of(holder(place.row, k), mine.a[k & 1]);
    sum[0] = __builtin_fmaf(a, element_of(right, mine.b[0]), sum[0]);
    sum[1] = __builtin_fmaf(a, element_of(right, mine.b[1]), sum[1]);
  }
  d.kw_pair.e[0] = D(sum[0]);
  d.kw_pair.e[1] = D(sum[1]);
}
#else
KW_ONCE void multiply_all(KwExchange* exchange) {
  const Lanes<Operands> lanes{exchange, 0};
  Tile a, b, c;
  for (uint lane = 0; lane < simd_width; lane++) {
    const ElementPlace place(lane);
    const Operands element = lanes[lane];
    for (uint i = 0; i < 2; i++) {
      a.row[place.row][place.column + i] = element.a[i];
      b.row[place.row][place.column + i] = element.b[i];
      c.row[place.row][place.column + i] = element.c[i];
    }
  }
  const Tile d = multiply_accumulate(a, b, c);
  __builtin_memcpy(exchange->result, &d, sizeof d);
  exchange->reduced = 1;
}
template <class D>
KW_FUNC void multiply_spread(metal::simdgroup_matrix<D, 8, 8>& d, const Operands& mine, const char* file, uint line) {
  const Lanes<Operands> lanes = meet(mine, 0, file, line, "simdgroup_multiply_accumulate");
  if (!lanes.exchange->reduced) multiply_all(lanes.exchange);
  d.kw_get(reinterpret_cast<const float*>(lanes.exchange->result), lanes.lane);
}
#endif
}  // namespace kw

namespace metal {
// d = a · b + c, summed in float, rounded to d's type at the end.
template <class D, class A, class B, class C>
KW_FUNC void simdgroup_multiply_accumulate(simdgroup_matrix<D, 8, 8>& d, const simdgroup_matrix<A, 8, 8>& a,
                                           const simdgroup_matrix<B, 8, 8>& b, const simdgroup_matrix<C, 8, 8>& c, KW_HERE) {
#ifdef __NVPTX__
  kw::multiply_spread(d, kw::operands<D>(a, b, c));
#else
  if (a.kw_spread || b.kw_spread || c.kw_spread || d.kw_spread) {
    a.kw_spread_out(file, line);
    b.kw_spread_out(file, line);
    c.kw_spread_out(file, line);
    d.kw_spread = true;
    kw::multiply_spread(d, kw::operands<D>(a, b, c), file, line);
    return;
  }
  d.kw_written = true;
  if (!kw::leads()) return;
  d.kw_tile = kw::multiply_accumulate(a.kw_tile, b.kw_tile, c.kw_tile);
  kw::round_to<D>(d.kw_tile);
#endif
}

template <class D, class A, class B>
KW_FUNC void simdgroup_multiply(simdgroup_matrix<D, 8, 8>& d, const simdgroup_matrix<A, 8, 8>& a,
                                const simdgroup_matrix<B, 8, 8>& b, KW_HERE) {
  simdgroup_multiply_accumulate(d, a, b, make_filled_simdgroup_matrix<D, 8, 8>(D(0)), file, line);
}

template <class T>
KW_FUNC simdgroup_matrix<T, 8, 8> operator*(const simdgroup_matrix<T, 8, 8>& a, const simdgroup_matrix<T, 8, 8>& b) {
  simdgroup_matrix<T, 8, 8> d;
  simdgroup_multiply(d, a, b);
  return d;
}
}  // namespace metal
