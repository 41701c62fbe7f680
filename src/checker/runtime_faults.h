#pragma once

// What a runtime's release was measured to do wrong (rows of KernelTable::faults), held against
// nodes and bodies.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checker/scope.h"
#include "model/view.h"
#include "versiontable/kernels.h"
#include "versiontable/schema.h"

namespace onnxcompat {

/// An input or output that is there, and the formal parameter that it binds to.
struct Actual {
  bool is_input = true;
  int slot = 0;
  std::string type;  ///< as kernels spell it: "float", "seq(tensor(float))"; empty if unknown
  std::string_view type_str;
  std::string_view formal;
};

/// The first fault that the node alone shows; null if none.
const RuntimeFault* fault_of_node(std::span<const RuntimeFault* const> faults,
                                  const BodyScope& body, const NodeView& node,
                                  std::span<const Actual> values);

/// The fault of a release that runs the operator as its function body; null if none.
const RuntimeFault* fault_of_fallback(std::span<const RuntimeFault* const> faults,
                                      const BodyScope& body, const OpSchema& schema);

/// Does the body show it: so many nested nodes, or what functions may not have?
bool is_fault_of_body(const RuntimeFault& fault, const BodyScope& body);

}  // namespace onnxcompat
