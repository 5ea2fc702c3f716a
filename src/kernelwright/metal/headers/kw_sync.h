// Threadgroup variables. The translation writes KW_THREADGROUP(float, [32][33], tile); for the Metal declaration
// `threadgroup float tile[32][33];`. A type with commas is written KW_TYPE(array<float, 4>).
#pragma once

#define KW_TYPE(...) __VA_ARGS__

#ifdef __NVPTX__
#define KW_THREADGROUP(type, dims, name)                                                                              \
  typedef type kw_type_##name dims;                                                                                   \
  static __attribute__((address_space(3), loader_uninitialized)) kw_type_##name kw_storage_##name;                    \
  kw_type_##name& name = *(kw_type_##name*)&kw_storage_##name
#else
namespace kw {
// Each threadgroup variable has a type of its own for a key, in each instantiation of the function that declares it.
template <class Key> inline constexpr char key_of = 0;
}  // namespace kw

#define KW_THREADGROUP(type, dims, name)                                                                              \
  struct kw_key_##name {};                                                                                            \
  typedef type kw_type_##name dims;                                                                                   \
  kw_type_##name& name =                                                                                              \
      *static_cast<kw_type_##name*>(kw_threadgroup(&::kw::key_of<kw_key_##name>, sizeof(kw_type_##name), #name))
#endif
