// How the threads of a SIMD-group exchange values: the ground that kw_simdgroup.h and kw_simdgroup_matrix.h stand on.
// On the CPU through the runtime (kw_fiber.h), on NVIDIA GPUs through shuffles.
//
// Code written for both asks for other lanes' values (`lanes[source]`) unconditionally: on a GPU all lanes have to.
#pragma once

namespace kw {
inline constexpr uint simd_width = 32;
inline constexpr uint all_lanes = 0xffffffffu;

// The four lanes of the quad that `lane` belongs to.
KW_FUNC constexpr uint quad_of(uint lane) { return 0xfu << (lane & ~3u); }

#ifdef __NVPTX__

KW_FUNC uint lane() { return __nvvm_read_ptx_sreg_laneid(); }

template <class T> KW_FUNC T from_lane(T value, uint source, uint mask) {
  constexpr int words = (sizeof(T) + 3) / 4;
  int word[words] = {};
  __builtin_memcpy(word, &value, sizeof(T));
  for (int i = 0; i < words; i++) word[i] = __nvvm_shfl_sync_idx_i32(mask, word[i], int(source), 31);
  __builtin_memcpy(&value, word, sizeof(T));
  return value;
}

// What the active threads of a SIMD-group or of a quad brought to one operation. Those are the ones that the hardware
// runs together here: a mask of all lanes would wait for threads that took another way. Quads exchange by themselves,
// so that each may take its own way through what follows.
template <class T> struct Lanes {
  T mine;
  uint mask, lane;
  uint first, width;  // of the SIMD-group or the quad
  KW_FUNC uint members() const { return mask; }
  KW_FUNC bool has(uint source) const { return source < simd_width && (mask >> source & 1); }
  KW_FUNC T operator[](uint source) const { return from_lane(mine, source, mask); }
  // As above, the own value where nobody takes part.
  KW_FUNC T near(uint source) const { return (*this)[has(source) ? source : lane]; }
};
inline constexpr uint among_quad = 0x80000000u, among_active = 0;
template <class T> KW_FUNC Lanes<T> meet(T value, uint flags, const char*, uint, const char*) {
  const uint active = __nvvm_activemask(), mine = lane();
  if (flags & among_quad) return {value, active & quad_of(mine), mine, mine & ~3u, 4};
  return {value, active, mine, 0, simd_width};
}

template <class F, class T> KW_FUNC T fold(const Lanes<T>& lanes) {
  if (lanes.mask == all_lanes) {  // the same order as on the CPU: halves, quarters, ...
    T value = lanes.mine;
#pragma clang loop unroll(full)
    for (uint step = 16; step; step >>= 1) {
      T other = from_lane(value, lanes.lane ^ step, all_lanes);
      value = lanes.lane & step ? F::of(other, value) : F::of(value, other);
    }
    return value;
  }
  bool first = true;
  T value = lanes.mine;
  for (uint i = 0; i < lanes.width; i++) {
    const T other = lanes.near(lanes.first + i);
    if (!lanes.has(lanes.first + i)) continue;
    value = first ? other : F::of(value, other);
    first = false;
  }
  return value;
}

template <class F, bool inclusive, class T> KW_FUNC T scan(const Lanes<T>& lanes) {
  T value = F::template identity<T>();
  for (uint i = 0; i < lanes.width; i++) {
    const uint source = lanes.first + i;
    const T other = lanes.near(source);
    if (lanes.has(source) && (source < lanes.lane || (inclusive && source == lanes.lane))) value = F::of(value, other);
  }
  return value;
}

KW_FUNC uint bad_shuffle(uint, uint, const char*, const char*) { return 0; }

#else

inline constexpr uint among_quad = KW_MEET_QUAD, among_active = KW_MEET_ACTIVE;

// The fiber that this code runs on.
KW_FUNC KwFiber* this_fiber() {
  const ulong base = ulong(__builtin_frame_address(0)) & ~ulong(KW_STACK_BYTES - 1);
  return reinterpret_cast<KwFiber*>(KW_FIBER_AT(base));
}

// The lane that this code runs for. It never changes while a thread runs, which the compiler cannot know of a load:
// as an instruction without effects it is done once. (Each thread runs in a call of its own that is not inlined.)
KW_FUNC uint lane() {
  const uint* thread = &this_fiber()->thread;
  uint found;
#if defined(__x86_64__)
  asm("movl (%1), %0" : "=r"(found) : "r"(thread));
#elif defined(__aarch64__)
  asm("ldr %w0, [%1]" : "=r"(found) : "r"(thread));
#else
  found = *thread;
#endif
  return found % simd_width;
}

// What the threads brought to one operation.
template <class T> struct Lanes {
  KwExchange* exchange;
  uint lane;
  static constexpr uint stride = sizeof(T) <= 4 ? 4 : sizeof(T);
  KW_FUNC uint members() const { return exchange->lanes; }
  KW_FUNC bool has(uint source) const { return source < simd_width && (members() >> source & 1); }
  KW_FUNC T operator[](uint source) const {
    T value;
    __builtin_memcpy(&value, exchange->value + source * stride, sizeof(T));
    return value;
  }
};

template <class T> KW_FUNC Lanes<T> meet(const T& value, uint flags, const char* file, uint line, const char* name) {
  static_assert(sizeof(T) <= KW_LANE_BYTES, "the type is too wide for simd and quad operations");
  KwMeeting meeting;
  if constexpr (sizeof(T) <= 4) {
    kw_u32 bits = 0;
    __builtin_memcpy(&bits, &value, sizeof(T));
    meeting = kw_meet4(bits, line | flags, file, name);
  } else if constexpr (sizeof(T) == 8) {
    kw_u64 bits;
    __builtin_memcpy(&bits, &value, 8);
    meeting = kw_meet8(bits, line | flags, file, name);
  } else {
    meeting = kw_meet_bytes(&value, sizeof(T), line | flags, file, name);
  }
  return {meeting.exchange, uint(meeting.lane)};
}

#define KW_ONCE static __attribute__((noinline))

// The values of all lanes combined: halves, then quarters, ... as neighbours on a GPU do it. What it gives is value[0].
template <class F, class T> KW_FUNC void fold_halves(T (&value)[simd_width]) {
#pragma clang loop unroll(full)
  for (uint half = simd_width / 2; half; half /= 2)
    for (uint i = 0; i < half; i++) value[i] = F::of(value[i], value[i + half]);
}

// The first thread to ask computes it for all.
template <class F, class T> KW_ONCE void fold_all(KwExchange* exchange) {
  const Lanes<T> lanes{exchange, 0};
  T value[simd_width];
  if (exchange->lanes == all_lanes) {
    for (uint i = 0; i < simd_width; i++) value[i] = lanes[i];
    fold_halves<F>(value);
  } else {
    uint rest = exchange->lanes;
    value[0] = lanes[__builtin_ctz(rest)];
    while (rest &= rest - 1) value[0] = F::of(value[0], lanes[__builtin_ctz(rest)]);
  }
  __builtin_memcpy(exchange->result, value, sizeof(T));
  exchange->reduced = 1;
}
template <class F, class T> KW_FUNC T fold(const Lanes<T>& lanes) {
  if (!lanes.exchange->reduced) fold_all<F, T>(lanes.exchange);
  T value;
  __builtin_memcpy(&value, lanes.exchange->result, sizeof(T));
  return value;
}

// Each lane's values up to it combined; what each lane gets lies in `result`, one after the other.
template <class F, bool inclusive, class T> KW_ONCE void scan_all(KwExchange* exchange) {
  const Lanes<T> lanes{exchange, 0};
  T value = F::template identity<T>();
  for (uint rest = exchange->lanes; rest; rest &= rest - 1) {
    const uint source = __builtin_ctz(rest);
    const T next = F::of(value, lanes[source]);
    __builtin_memcpy(exchange->result + source * sizeof(T), inclusive ? &next : &value, sizeof(T));
    value = next;
  }
  exchange->reduced = 1;
}
template <class F, bool inclusive, class T> KW_FUNC T scan(const Lanes<T>& lanes) {
  if (!lanes.exchange->reduced) scan_all<F, inclusive, T>(lanes.exchange);
  T value;
  __builtin_memcpy(&value, lanes.exchange->result + lanes.lane * sizeof(T), sizeof(T));
  return value;
}

// The same for kernels in lockstep (kw_lockstep.h): what the lanes brought to an operation, the first `lanes` of them.
template <class T> struct Brought {
  T value[simd_width];
  uint lanes;
};
template <class F, class T> KW_ONCE T fold(const Brought<T>& all) {
  if (all.lanes == simd_width) {
    T value[simd_width];
    __builtin_memcpy(value, all.value, sizeof value);
    fold_halves<F>(value);
    return value[0];
  }
  T value = all.value[0];
#pragma clang loop unroll(disable)
  for (uint i = 1; i < all.lanes; i++) value = F::of(value, all.value[i]);
  return value;
}
template <class F, bool inclusive, class T> KW_ONCE Brought<T> scan(const Brought<T>& all) {
  Brought<T> result;
  T value = F::template identity<T>();
#pragma clang loop unroll(disable)
  for (uint i = 0; i < all.lanes; i++) {
    const T next = F::of(value, all.value[i]);
    result.value[i] = inclusive ? next : value;
    value = next;
  }
  return result;
}

KW_FUNC uint bad_shuffle(uint source, uint line, const char* file, const char* name) {
  return kw_bad_shuffle(source, line, file, name);
}

#endif
}  // namespace kw
