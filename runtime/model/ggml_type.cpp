#include "runtime/model/ggml_type.h"
#include <array>

namespace tessera::model {

namespace {
constexpr std::array rows = {
    GgmlType{0, "F32", 1, 4, f32},        GgmlType{1, "F16", 1, 2, f16},        GgmlType{2, "Q4_0", 32, 18, q4_0},
    GgmlType{3, "Q4_1", 32, 20, q4_1},    GgmlType{6, "Q5_0", 32, 22, q5_0},    GgmlType{7, "Q5_1", 32, 24, q5_1},
    GgmlType{8, "Q8_0", 32, 34, q8_0},    GgmlType{9, "Q8_1", 32, 36, {}},      GgmlType{10, "Q2_K", 256, 84, {}},
    GgmlType{11, "Q3_K", 256, 110, {}},   GgmlType{12, "Q4_K", 256, 144, q4_k}, GgmlType{13, "Q5_K", 256, 176, q5_k},
    GgmlType{14, "Q6_K", 256, 210, q6_k}, GgmlType{15, "Q8_K", 256, 292, {}},   GgmlType{16, "IQ2_XXS", 256, 66, {}},
    GgmlType{17, "IQ2_XS", 256, 74, {}},  GgmlType{18, "IQ3_XXS", 256, 98, {}}, GgmlType{19, "IQ1_S", 256, 50, {}},
    GgmlType{20, "IQ4_NL", 32, 18, {}},   GgmlType{21, "IQ3_S", 256, 110, {}},  GgmlType{22, "IQ2_S", 256, 82, {}},
    GgmlType{23, "IQ4_XS", 256, 136, {}}, GgmlType{24, "I8", 1, 1, i8},         GgmlType{25, "I16", 1, 2, {}},
    GgmlType{26, "I32", 1, 4, i32},       GgmlType{27, "I64", 1, 8, i64},       GgmlType{28, "F64", 1, 8, {}},
    GgmlType{29, "IQ1_M", 256, 56, {}},   GgmlType{30, "BF16", 1, 2, bf16},     GgmlType{34, "TQ1_0", 256, 54, {}},
    GgmlType{35, "TQ2_0", 256, 66, {}},   GgmlType{39, "MXFP4", 32, 17, {}},
};

template <class Matches> const GgmlType *findRow(Matches matches) {
  for (const GgmlType &row : rows)
    if (matches(row))
      return &row;
  return nullptr;
}
} // namespace

std::span<const GgmlType> ggmlTypes() { return rows; }

const GgmlType *ggmlType(uint32_t id) {
  return findRow([&](const GgmlType &row) { return row.id == id; });
}

const GgmlType *ggmlType(DType dtype) {
  return findRow([&](const GgmlType &row) { return row.dtype == dtype; });
}

const GgmlType *ggmlTypeByName(std::string_view name) {
  return findRow([&](const GgmlType &row) { return row.name == name; });
}

} // namespace tessera::model
