// A kernel in lockstep: all threads of a threadgroup take each step before the next one begins. A step is the code
// between two places where threads wait; it runs as a loop over threads, which may become vector code, and waiting costs
// nothing. The translation (language/lockstep.py) writes such a kernel from the original, where it knows how, with three
// levels of code: for the threadgroup, for each SIMD-group, and for each thread.
#pragma once
#include "kw_entry.h"

#if !defined(__NVPTX__) && !defined(KW_CHECKED)

namespace kw {
// The threadgroup.
struct Team {
  Place at;             // of the threadgroup; `position` and `thread` are no thread's
  uint threads;
  unsigned char* free;  // memory for what each thread keeps, from here on
};

// What a thread can keep from one step to the next: nothing that could refer to a copy left behind.
template <class T> inline constexpr bool is_plain = is_scalar<T> || __is_pointer(T);
template <class T, auto N> inline constexpr bool is_plain<metal::vec<T, N>> = true;
template <class T, auto N> inline constexpr bool is_plain<metal::packed_vec<T, N>> = true;
template <class T, int C, int R> inline constexpr bool is_plain<metal::matrix<T, C, R>> = true;
template <class T, size_t N> inline constexpr bool is_plain<T[N]> = is_plain<T> && !__is_pointer(T);

// A type that was not written: an error where it is a pointer, of which it is not known where it points.
template <class T> struct written {
  static_assert(!__is_pointer(T));
  typedef T type;
};
template <class T> using number_or_vector = typename written<T>::type;

inline constexpr uint most_kept_bytes = 1024;  // by a thread in one variable; the runtime has memory for 64 of them

// A variable of each thread.
template <class Declared> struct Each {
  typedef __remove_cv(Declared) T;
  static_assert(is_plain<T> && sizeof(T) <= most_kept_bytes);
  T* const value;
  Team& team;
  KW_FUNC explicit Each(Team& team) : value(reinterpret_cast<T*>(team.free)), team(team) {
    team.free += (sizeof(T) * team.threads + 63) & ~63ul;
  }
  KW_FUNC ~Each() { team.free = reinterpret_cast<unsigned char*>(value); }
  KW_FUNC T& operator[](uint thread) const { return value[thread]; }
};

template <class T> KW_FUNC void keep(T& to, const T& from) {
  if constexpr (__is_array(T)) __builtin_memcpy(&to, &from, sizeof to);
  else to = from;
}

// A loop that each thread goes through in equal steps, one round at a time. T: of its variable; L: what that is compared
// as. In 64 bits it cannot overflow on the way to the limit.
template <class T, class L> struct Stride {
  static_assert(is_integer<T> && is_integer<L> && sizeof(T) >= 4);
  long limit, step;
  template <class S> KW_FUNC Stride(L limit, S step, bool inclusive) : limit(long(limit) + inclusive), step(long(step)) {
    static_assert(is_integer<S>);
    if (sizeof(L) < 8 && this->step >> 31) __builtin_trap();  // down, as the overflow of an unsigned number
  }
  KW_FUNC long count(T start, long round) const { return long(L(start)) + round * step; }
  KW_FUNC bool has(long count) const { return count < limit; }
};

// Threads of a SIMD-group that differ in their x position only.
struct LaneRow {
  uint first, count, lane;  // its first thread, how many, the first one's lane
  uint x, y, z;             // position of its first thread
};

// A SIMD-group, and how to go through its rows.
struct Simd {
  uint index, first, last;  // its threads are [first, last)
  uint x, y, z;             // position of its first thread
  KW_FUNC Simd(const Team& team, uint index) : index(index), first(index * simd_width) {
    last = first + simd_width < team.threads ? first + simd_width : team.threads;
    const uint width = team.at.size[0], height = team.at.size[1];
    const bool one_row = width == team.threads;
    x = one_row ? first : first % width;
    y = one_row ? 0 : first / width % height;
    z = one_row ? 0 : first / width / height;
  }
  KW_FUNC uint lanes() const { return last - first; }
  KW_FUNC LaneRow first_row(const Team& team) const { return {first, within_row(team, first, x), 0, x, y, z}; }
  KW_FUNC void next_row(const Team& team, LaneRow& row) const {
    row.lane += row.count;
    row.first += row.count;
    row.x = 0;
    if (++row.y == team.at.size[1]) {
      row.y = 0;
      row.z++;
    }
    row.count = within_row(team, row.first, 0);
  }
  KW_FUNC uint within_row(const Team& team, uint thread, uint from) const {
    const uint left = team.at.size[0] - from;
    return left < last - thread ? left : last - thread;
  }
};

KW_FUNC Place place_of(const Team& team, const LaneRow& row, uint i) {
  Place at = team.at;
  at.position[0] = row.x + i;
  at.position[1] = row.y;
  at.position[2] = row.z;
  at.thread = row.first + i;
  return at;
}
KW_FUNC Place place_of(const Team& team, const Simd& simd) {
  Place at = team.at;
  at.thread = simd.first;
  return at;
}

// The attributes of a function that stands for code of a thread.
#define KW_STEP __attribute__((always_inline))

// Loops over threads, as in Entry::run_row, may not claim that threads have nothing in common: see there.

// What the lanes of a SIMD-group bring to an operation: the values of `of(place, thread)`.
template <class F> KW_FUNC auto bring(const Team& team, const Simd& simd, F of) {
  Brought<__decay(decltype(of(team.at, 0u)))> all;
  all.lanes = simd.lanes();
  for (LaneRow row = simd.first_row(team); row.first < simd.last; simd.next_row(team, row)) {
#pragma clang loop vectorize(enable) interleave_count(1) unroll(disable)
    for (uint i = 0; i < row.count; i++) all.value[row.lane + i] = of(place_of(team, row, i), row.first + i);
  }
  return all;
}

// The kernel in lockstep: all threads of the threadgroup. False: it cannot be done this time, and nothing has been.
template <auto Function, const Arguments& Given, class Type, class Indices> struct Lockstep;

template <auto Function, const Arguments& Given, class... A, size_t... I>
struct Lockstep<Function, Given, bool (*)(Team&, A...), metal::integer_sequence<size_t, I...>> {
  static int run(KwFiber* fiber) {
    const KwGroup* group = fiber->group;
    Team team;
    place_launch(team.at, group->launch);
    copy3(team.at.group, group->position);
    copy3(team.at.origin, group->origin);
    copy3(team.at.size, group->size);
    team.at.position[0] = team.at.position[1] = team.at.position[2] = team.at.thread = 0;
    team.threads = group->threads;
    team.free = group->kept;
    KW_CALL return Function(team, bind<A>(Given.list[I], memory_of(Given.list[I], group), team.at)...);
  }
};

template <class Type> struct LockstepParameters;
template <class... A> struct LockstepParameters<bool (*)(Team&, A...)> {
  typedef metal::make_index_sequence<sizeof...(A)> indices;
};
template <auto Function, const Arguments& Given>
using LockstepOf = Lockstep<Function, Given, decltype(Function), typename LockstepParameters<decltype(Function)>::indices>;
}  // namespace kw

// Code for each SIMD-group, and in it code for each thread.
#define KW_SIMDS for (uint kw_s = 0; kw_s * KW_SIMD_WIDTH < kw_team.threads; kw_s++)
#define KW_SIMD const ::kw::Simd kw_simd(kw_team, kw_s);
#define KW_THREADS                                                                                                     \
  for (::kw::LaneRow kw_row = kw_simd.first_row(kw_team); kw_row.first < kw_simd.last; kw_simd.next_row(kw_team, kw_row))  \
    _Pragma("clang loop vectorize(enable) interleave_count(1) unroll(disable)") for (uint kw_i = 0; kw_i < kw_row.count; kw_i++)
#define KW_THREAD                                                                                                      \
  const ::kw::Place kw_at = ::kw::place_of(kw_team, kw_row, kw_i);                                                     \
  const uint kw_thread = kw_row.first + kw_i;

#endif
