#include "tests/vgpu/forms/forms.h"

namespace forms {
const std::vector<Listed> &listedForms() {
  static const std::vector<Listed> list;
  return list;
}
} // namespace forms
