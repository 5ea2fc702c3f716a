// SIMD-group and quad-group functions: sections 6.9.2 to 6.9.4 of the Metal Shading Language Specification 3.2.
#pragma once
#include "kw_lanes.h"

namespace kw {
struct Sum {
  template <class T> static KW_FUNC T of(T a, T b) { return T(a + b); }
  template <class T> static KW_FUNC T identity() { return T(0); }
};
struct Product {
  template <class T> static KW_FUNC T of(T a, T b) { return T(a * b); }
  template <class T> static KW_FUNC T identity() { return T(1); }
};
struct Smallest {
  template <class T> static KW_FUNC T of(T a, T b) { return T(metal::min(a, b)); }
};
struct Largest {
  template <class T> static KW_FUNC T of(T a, T b) { return T(metal::max(a, b)); }
};
struct AllBits {
  template <class T> static KW_FUNC T of(T a, T b) { return T(a & b); }
};
struct AnyBits {
  template <class T> static KW_FUNC T of(T a, T b) { return T(a | b); }
};
struct OddBits {
  template <class T> static KW_FUNC T of(T a, T b) { return T(a ^ b); }
};

// The value of another lane. Without a thread there it is undefined: a report, and 0, as Apple's GPUs answer in practice
// (c10/metal/reduction_utils.h of PyTorch).
template <class T> KW_FUNC T pick(const Lanes<T>& lanes, uint source, const char* file, uint line, const char* name) {
  const bool there = lanes.has(source);
  T value = lanes[there ? source : lanes.lane];
  if (!there) __builtin_memset(&value, int(bad_shuffle(source, line, file, name)), sizeof(T));
  return value;
}

#ifndef __NVPTX__
// The same in lockstep.
template <class T> KW_FUNC T pick(const Brought<T>& all, uint lane, uint source) {
  const bool there = source < all.lanes;
  T value = all.value[there ? source : lane];
  if (!there) __builtin_memset(&value, 0, sizeof(T));
  return value;
}
#endif

// A group of `width` neighbouring lanes, as a SIMD-group (32), a quad (4) or a part of either is.
struct Segment {
  uint first, place, width;  // its first lane, where in it this thread is, how many lanes
  KW_FUNC Segment(uint lane, uint width) : first(lane & ~(width - 1)), place(lane & (width - 1)), width(width) {}
  // `delta` lanes up or down: the own lane where that leaves the segment.
  KW_FUNC uint down(uint delta) const { return place + delta < width ? first + place + delta : first + place; }
  KW_FUNC uint up(uint delta) const { return place >= delta ? first + place - delta : first + place; }
  KW_FUNC uint rotated(uint delta) const { return first + ((place + delta) & (width - 1)); }
};

template <class T> struct Filled {
  T data, filling;
};

// As if the filling stood behind (down) or before (up) the data, and all moved by `delta` lanes.
template <class T>
KW_FUNC T fill_down(T data, T filling, uint delta, uint width, uint flags, const char* file, uint line, const char* name) {
  const Lanes<Filled<T>> lanes = meet(Filled<T>{data, filling}, flags, file, line, name);
  const Segment segment(lanes.lane, width);
  const uint place = segment.place + delta;
  const Filled<T> found = pick(lanes, segment.first + (place & (width - 1)), file, line, name);
  return place >= width ? found.filling : found.data;
}
template <class T>
KW_FUNC T fill_up(T data, T filling, uint delta, uint width, uint flags, const char* file, uint line, const char* name) {
  const Lanes<Filled<T>> lanes = meet(Filled<T>{data, filling}, flags, file, line, name);
  const Segment segment(lanes.lane, width);
  const Filled<T> found = pick(lanes, segment.first + ((segment.place - delta) & (width - 1)), file, line, name);
  return segment.place < delta ? found.filling : found.data;
}

KW_FUNC ulong ballot(bool vote, uint flags, const char* file, uint line, const char* name) {
#ifdef __NVPTX__
  const uint mask = meet(0u, flags, file, line, name).mask;
  return __nvvm_vote_ballot_sync(mask, vote) & mask;
#else
  const uint mine = lane();
  return fold<AnyBits>(meet(vote ? 1u << mine : 0u, flags, file, line, name));
#endif
}
KW_FUNC ulong active(uint flags, const char* file, uint line, const char* name) {
  return ballot(true, flags | among_active, file, line, name);
}
}  // namespace kw

namespace metal {
// The answers of a group's threads, one bit each. `Width`: threads in the group.
template <uint Width> class kw_vote {
 public:
  typedef ulong vote_t;
  explicit constexpr kw_vote(vote_t bits = 0) : bits(bits & every) {}
  explicit constexpr operator vote_t() const { return bits; }
  constexpr bool all() const { return bits == every; }
  constexpr bool any() const { return bits != 0; }
  friend constexpr kw_vote operator&(kw_vote a, kw_vote b) { return kw_vote(a.bits & b.bits); }
  friend constexpr kw_vote operator|(kw_vote a, kw_vote b) { return kw_vote(a.bits | b.bits); }
  friend constexpr kw_vote operator^(kw_vote a, kw_vote b) { return kw_vote(a.bits ^ b.bits); }
  friend constexpr kw_vote operator~(kw_vote a) { return kw_vote(~a.bits); }
  friend constexpr bool operator==(kw_vote a, kw_vote b) { return a.bits == b.bits; }
  friend constexpr bool operator!=(kw_vote a, kw_vote b) { return a.bits != b.bits; }

 private:
  static constexpr vote_t every = (vote_t(1) << Width) - 1;
  vote_t bits;
};
typedef kw_vote<32> simd_vote;
typedef kw_vote<4> quad_vote;

// The same functions for both kinds of groups. GROUP: simd or quad; WIDTH: its threads; AMONG: flags for meet().
#define KW_REDUCTION(GROUP, AMONG, name, operation)                                                                   \
  template <class T> KW_FUNC T GROUP##_##name(T data, KW_HERE) {                                                       \
    return kw::fold<kw::operation>(kw::meet(data, AMONG, file, line, #GROUP "_" #name));                              \
  }
#define KW_SCAN(GROUP, AMONG, name, operation, inclusive)                                                             \
  template <class T> KW_FUNC T GROUP##_##name(T data, KW_HERE) {                                                       \
    return kw::scan<kw::operation, inclusive>(kw::meet(data, AMONG, file, line, #GROUP "_" #name));                   \
  }
#define KW_SHUFFLE(GROUP, AMONG, WIDTH, name, parameter, from)                                                        \
  template <class T> KW_FUNC T GROUP##_##name(T data, ushort parameter, KW_HERE) {                                     \
    const kw::Lanes<T> lanes = kw::meet(data, AMONG, file, line, #GROUP "_" #name);                                   \
    const kw::Segment segment(lanes.lane, WIDTH);                                                                     \
    return kw::pick(lanes, from, file, line, #GROUP "_" #name);                                                       \
  }
#define KW_FILL(GROUP, AMONG, WIDTH, name, function)                                                                  \
  template <class T> KW_FUNC T GROUP##_##name(T data, kw::value_of<T> filling_data, ushort delta, KW_HERE) {           \
    return kw::function<T>(data, filling_data, delta, WIDTH, AMONG, file, line, #GROUP "_" #name);                       \
  }                                                                                                                   \
  template <class T> KW_FUNC T GROUP##_##name(T data, kw::value_of<T> filling_data, ushort delta, ushort modulo,       \
                                      KW_HERE) {                                                                      \
    return kw::function<T>(data, filling_data, delta, modulo, AMONG, file, line, #GROUP "_" #name);                      \
  }
#define KW_GROUP_FUNCTIONS(GROUP, AMONG, WIDTH)                                                                       \
  KW_REDUCTION(GROUP, AMONG, sum, Sum)                                                                                \
  KW_REDUCTION(GROUP, AMONG, product, Product)                                                                        \
  KW_REDUCTION(GROUP, AMONG, min, Smallest)                                                                           \
  KW_REDUCTION(GROUP, AMONG, max, Largest)                                                                            \
  KW_REDUCTION(GROUP, AMONG, and, AllBits)                                                                            \
  KW_REDUCTION(GROUP, AMONG, or, AnyBits)                                                                             \
  KW_REDUCTION(GROUP, AMONG, xor, OddBits)                                                                            \
  KW_SCAN(GROUP, AMONG, prefix_inclusive_sum, Sum, true)                                                              \
  KW_SCAN(GROUP, AMONG, prefix_exclusive_sum, Sum, false)                                                             \
  KW_SCAN(GROUP, AMONG, prefix_inclusive_product, Product, true)                                                      \
  KW_SCAN(GROUP, AMONG, prefix_exclusive_product, Product, false)                                                     \
  KW_SHUFFLE(GROUP, AMONG, WIDTH, broadcast, broadcast_lane_id,                                                       \
             (broadcast_lane_id < WIDTH ? segment.first + broadcast_lane_id : ~0u))                                    \
  KW_SHUFFLE(GROUP, AMONG, WIDTH, shuffle, lane_id,                                                                   \
             (lane_id < WIDTH ? segment.first + lane_id : ~0u))                                                        \
  KW_SHUFFLE(GROUP, AMONG, WIDTH, shuffle_xor, mask,                                                                  \
             ((segment.place ^ mask) < WIDTH ? segment.first + (segment.place ^ mask) : ~0u))                          \
  KW_SHUFFLE(GROUP, AMONG, WIDTH, shuffle_down, delta, segment.down(delta))                                           \
  KW_SHUFFLE(GROUP, AMONG, WIDTH, shuffle_up, delta, segment.up(delta))                                               \
  KW_SHUFFLE(GROUP, AMONG, WIDTH, shuffle_rotate_down, delta, segment.rotated(delta))                                 \
  KW_SHUFFLE(GROUP, AMONG, WIDTH, shuffle_rotate_up, delta, segment.rotated(WIDTH - delta % WIDTH))                   \
  KW_FILL(GROUP, AMONG, WIDTH, shuffle_and_fill_down, fill_down)                                                      \
  KW_FILL(GROUP, AMONG, WIDTH, shuffle_and_fill_up, fill_up)                                                          \
  template <class T> KW_FUNC T GROUP##_broadcast_first(T data, KW_HERE) {                                              \
    const kw::Lanes<T> lanes = kw::meet(data, (AMONG) | kw::among_active, file, line, #GROUP "_broadcast_first");     \
    return lanes[__builtin_ctz(lanes.members())];                                                                  \
  }                                                                                                                   \
  KW_FUNC GROUP##_vote GROUP##_ballot(bool expr, KW_HERE) {                                                           \
    const ulong votes = kw::ballot(expr, (AMONG) | kw::among_active, file, line, #GROUP "_ballot");                   \
    return GROUP##_vote(votes >> kw::Segment(kw::lane(), WIDTH).first);                                               \
  }                                                                                                                   \
  KW_FUNC GROUP##_vote GROUP##_active_threads_mask(KW_HERE) {                                                         \
    const ulong votes = kw::active(AMONG, file, line, #GROUP "_active_threads_mask");                                 \
    return GROUP##_vote(votes >> kw::Segment(kw::lane(), WIDTH).first);                                               \
  }                                                                                                                   \
  KW_FUNC bool GROUP##_is_first(KW_HERE) {                                                                            \
    return kw::lane() == uint(__builtin_ctzl(kw::active(AMONG, file, line, #GROUP "_is_first")));                     \
  }                                                                                                                   \
  KW_FUNC bool GROUP##_any(bool expr, KW_HERE) { return kw::ballot(expr, AMONG, file, line, #GROUP "_any") != 0; }    \
  KW_FUNC bool GROUP##_all(bool expr, KW_HERE) { return kw::ballot(!expr, AMONG, file, line, #GROUP "_all") == 0; }   \
  KW_FUNC bool GROUP##_is_helper_thread() { return false; }

KW_GROUP_FUNCTIONS(simd, 0u, 32u)
KW_GROUP_FUNCTIONS(quad, kw::among_quad, 4u)

#undef KW_GROUP_FUNCTIONS
#undef KW_FILL
#undef KW_SHUFFLE
#undef KW_SCAN
#undef KW_REDUCTION

#ifndef __NVPTX__
// For kernels in lockstep: kw_all_simd_sum(what all lanes brought), once for a SIMD-group, and for shuffles
// kw_of_simd_shuffle(what all lanes brought, lane, ...), for each lane.
#define KW_REDUCTION(name, operation) \
  template <class T> KW_FUNC T kw_all_simd_##name(const kw::Brought<T>& all) { return kw::fold<kw::operation>(all); }
#define KW_SCAN(name, operation, inclusive)                                          \
  template <class T> KW_FUNC kw::Brought<T> kw_all_simd_##name(const kw::Brought<T>& all) { \
    return kw::scan<kw::operation, inclusive>(all);                                  \
  }
#define KW_SHUFFLE(name, parameter, from)                                                                  \
  template <class T> KW_FUNC T kw_of_simd_##name(const kw::Brought<T>& all, uint lane, ushort parameter) { \
    const kw::Segment segment(lane, kw::simd_width);                                                       \
    return kw::pick(all, lane, from);                                                                      \
  }
KW_REDUCTION(sum, Sum)
KW_REDUCTION(product, Product)
KW_REDUCTION(min, Smallest)
KW_REDUCTION(max, Largest)
KW_REDUCTION(and, AllBits)
KW_REDUCTION(or, AnyBits)
KW_REDUCTION(xor, OddBits)
KW_SCAN(prefix_inclusive_sum, Sum, true)
KW_SCAN(prefix_exclusive_sum, Sum, false)
KW_SCAN(prefix_inclusive_product, Product, true)
KW_SCAN(prefix_exclusive_product, Product, false)
KW_SHUFFLE(broadcast, source_lane, source_lane)
KW_SHUFFLE(shuffle, source_lane, source_lane)
KW_SHUFFLE(shuffle_xor, mask, lane ^ mask)
KW_SHUFFLE(shuffle_down, delta, segment.down(delta))
KW_SHUFFLE(shuffle_up, delta, segment.up(delta))
KW_SHUFFLE(shuffle_rotate_down, delta, segment.rotated(delta))
KW_SHUFFLE(shuffle_rotate_up, delta, segment.rotated(kw::simd_width - delta % kw::simd_width))
template <class T> KW_FUNC T kw_all_simd_broadcast_first(const kw::Brought<T>& all) { return all.value[0]; }
KW_FUNC bool kw_all_simd_any(const kw::Brought<bool>& all) {
  bool any = false;
  for (uint i = 0; i < all.lanes; i++) any |= all.value[i];
  return any;
}
KW_FUNC bool kw_all_simd_all(const kw::Brought<bool>& all) {
  bool every = true;
  for (uint i = 0; i < all.lanes; i++) every &= all.value[i];
  return every;
}
#undef KW_SHUFFLE
#undef KW_SCAN
#undef KW_REDUCTION
#endif
}  // namespace metal
