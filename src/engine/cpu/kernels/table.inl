// SPDX-License-Identifier: MIT
// The table of a kernel set, from the functions that the including file has in its anonymous namespace under the names
// of the fields.
namespace tacit::kernels {
namespace {

constexpr Kernels table_of_this_set(const char* name) {
  return {{frequencies, mix, collect, top_two, sum},
          name,     quantize_int8, quantize_int16, quantize_values, matmul,       rms_norm,      layer_norm, swiglu,
          geglu,    gelu,            soft_cap,      add,             rotate_pairs, rotate_halves, attend};
}

}  // namespace
}  // namespace tacit::kernels
