#pragma once

// Models built field by field, for shapes of files that no text syntax can express.

#include <cstdint>
#include <string>
#include <string_view>

#include "support/wire.h"

namespace onnxcompat::test {

/// Field numbers of the format [onnx.proto], as the tests need them.
namespace field {
inline constexpr std::uint32_t model_ir_version = 1, model_producer = 2, model_graph = 7,
                               model_opset = 8, model_training = 20, model_functions = 25;
inline constexpr std::uint32_t graph_node = 1, graph_name = 2, graph_initializer = 5,
                               graph_input = 11, graph_output = 12, graph_sparse = 15;
inline constexpr std::uint32_t node_input = 1, node_output = 2, node_op_type = 4,
                               node_attribute = 5;
inline constexpr std::uint32_t attribute_name = 1, attribute_t = 5, attribute_g = 6,
                               attribute_tensors = 10, attribute_graphs = 11, attribute_type = 20,
                               attribute_sparse = 22, attribute_sparses = 23;
inline constexpr std::uint32_t tensor_dims = 1, tensor_type = 2, tensor_float = 4, tensor_int32 = 5,
                               tensor_string = 6, tensor_int64 = 7, tensor_name = 8, tensor_raw = 9,
                               tensor_double = 10, tensor_uint64 = 11, tensor_doc = 12,
                               tensor_external = 13;
inline constexpr std::uint32_t sparse_values = 1, sparse_indices = 2, sparse_dims = 3;
inline constexpr std::uint32_t function_name = 1, function_node = 7, function_domain = 10,
                               function_attribute_proto = 11;
inline constexpr std::uint32_t training_initialization = 1, training_algorithm = 2;
inline constexpr std::uint32_t entry_key = 1, entry_value = 2;
}  // namespace field

/// A message with one length-delimited field.
inline std::string wrap(std::uint32_t number, std::string_view content) {
  WireWriter out;
  out.bytes(number, content);
  return out.take();
}

inline std::string number(std::uint32_t field_number, std::int64_t value) {
  WireWriter out;
  out.number(field_number, value);
  return out.take();
}

/// A float or uint8 tensor of one dim whose elements are raw_data.
inline std::string raw_tensor(std::string_view name, std::string_view raw, int data_type = 2,
                              std::int64_t element_size = 1) {
  return number(field::tensor_dims, static_cast<std::int64_t>(raw.size()) / element_size) +
         number(field::tensor_type, data_type) + wrap(field::tensor_name, name) +
         wrap(field::tensor_raw, raw);
}

/// ir_version 10, ai.onnx 21 and the rest.
inline std::string model_of(std::string_view rest) {
  return number(field::model_ir_version, 10) + std::string(rest) +
         wrap(field::model_opset, number(2, 21));
}

inline std::string model_with_initializer(std::string_view tensor) {
  return model_of(wrap(field::model_graph,
                       wrap(field::graph_name, "g") + wrap(field::graph_initializer, tensor)));
}

inline std::string node_with_attribute(std::string_view attribute) {
  return wrap(field::node_output, "y") + wrap(field::node_op_type, "Constant") +
         wrap(field::node_attribute, wrap(field::attribute_name, "value") + std::string(attribute));
}

inline std::string bytes_pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>((i * 131 + (i >> 8)) & 0x7f);
  return out;
}

/// A model with a payload in every place that can have one, some large, some small.
inline std::string model_of_everything(std::size_t payload) {
  const auto tensor = [&](std::string_view name, std::size_t extra) {
    return raw_tensor(name, bytes_pattern(payload + extra));
  };
  const std::string sparse = wrap(field::sparse_values, tensor("sv", 1)) +
                             wrap(field::sparse_indices, tensor("si", 2)) +
                             number(field::sparse_dims, 1 << 20);
  const std::string inner_graph =
      wrap(field::graph_node, node_with_attribute(wrap(field::attribute_t, tensor("deep", 3)))) +
      wrap(field::graph_name, "inner") + wrap(field::graph_initializer, tensor("w", 4));
  const std::string nodes =
      wrap(field::graph_node, node_with_attribute(wrap(field::attribute_t, tensor("t", 5)))) +
      wrap(field::graph_node, node_with_attribute(wrap(field::attribute_tensors, tensor("a", 6)) +
                                                  wrap(field::attribute_tensors, tensor("b", 7)))) +
      wrap(field::graph_node, node_with_attribute(wrap(field::attribute_g, inner_graph))) +
      wrap(field::graph_node, node_with_attribute(wrap(field::attribute_graphs, inner_graph) +
                                                  wrap(field::attribute_graphs, inner_graph))) +
      wrap(field::graph_node, node_with_attribute(wrap(field::attribute_sparse, sparse))) +
      wrap(field::graph_node, node_with_attribute(wrap(field::attribute_sparses, sparse)));
  const std::string graph = nodes + wrap(field::graph_name, "g") +
                            wrap(field::graph_initializer, tensor("i", 8)) +
                            wrap(field::graph_initializer, raw_tensor("small", "abcd")) +
                            wrap(field::graph_sparse, sparse);
  const std::string function =
      wrap(field::function_name, "F") +
      wrap(field::function_node, node_with_attribute(wrap(field::attribute_t, tensor("f", 9)))) +
      wrap(field::function_domain, "local") +
      wrap(field::function_attribute_proto,
           wrap(field::attribute_name, "default") + wrap(field::attribute_t, tensor("d", 10)));
  const std::string training = wrap(field::training_initialization, inner_graph) +
                               wrap(field::training_algorithm, inner_graph);
  return number(field::model_ir_version, 10) + wrap(field::model_producer, "test") +
         wrap(field::model_graph, graph) + wrap(field::model_opset, number(2, 21)) +
         wrap(field::model_training, training) + wrap(field::model_functions, function);
}
/// How many payloads model_of_everything has.
inline constexpr std::size_t kPayloadsOfEverything = 22;

}  // namespace onnxcompat::test
