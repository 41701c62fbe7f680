#pragma once

#include <functional>
#include <map>
#include <string>

#include "model/edit.h"

namespace onnxcompat::adapters {

using NameMap = std::map<std::string, std::string, std::less<>>;
/// A name that nothing has, made from another one.
using FreshName = std::function<std::string(const std::string&)>;

/// Renames what a node reads and gives. The values of its subgraphs get names of their own from
/// `fresh`, so that the node may stand in a model several times. `each` sees every node of them,
/// and this one.
void rename_within(OwnedNode& node, const NameMap& names, const FreshName& fresh,
                   const std::function<void(OwnedNode&)>& each = {});

}  // namespace onnxcompat::adapters
