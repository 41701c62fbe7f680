#include <algorithm>
#include <map>
#include <set>

#include "checker/rules.h"

namespace onnxcompat::rules {
namespace {

Place configuration_place(const DeviceConfigurationView& configuration, int index) {
  return in_model(Section::configuration, index,
                  fmt::format("configuration[{}] \"{}\"", index, configuration.name()));
}

/// The configuration of that name; nullopt if the model has none.
std::optional<DeviceConfigurationView> configuration_named(const ModelScope& m,
                                                           std::string_view name) {
  for (const DeviceConfigurationView c : m.model.device_configurations()) {
    if (c.name() == name) return c;
  }
  return std::nullopt;
}

/// Calls `visit(spec, configuration, place)` for every sharding specification of a node.
template <class Visit>
void each_sharding(const NodeAt& n, Visit visit) {
  const auto configurations = n.node.device_configurations();
  for (int c = 0; c < configurations.size(); ++c) {
    const auto specs = configurations[c].sharding_specs();
    for (int s = 0; s < specs.size(); ++s) {
      visit(specs[s], configurations[c],
            n.place().down(fmt::format("device_configurations[{}]/sharding_spec[{}]", c, s)));
    }
  }
}

bool has_value(const Strings& names, std::string_view name) {
  return !name.empty() && std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

const Rule device_config_incomplete{
    .id = "OCD001",
    .name = "device-config-incomplete",
    .min_ir = 11,
    .purpose = "Checks that device configurations are named, counted and listed in full",
    .citation = "[IR.md#device-configurations]",
    .why = "Nodes refer to a configuration by its name, and to its devices by number.",
    .bad = "a configuration of 2 devices that lists 1",
    .good = "a configuration \"pair\" of 2 devices that lists both, or none",
    .fix = "Set name and num_devices, and list every device or none",
    .check = once([](const ModelScope& m, Sink& out) {
      std::set<std::string_view> names;
      const auto list = m.model.device_configurations();
      for (int i = 0; i < list.size(); ++i) {
        const DeviceConfigurationView c = list[i];
        const Place place = configuration_place(c, i);
        if (c.name().empty()) {
          out.add(place, "The configuration has no name");
        } else if (!names.insert(c.name()).second) {
          out.add(place, "There are two configurations \"{}\"", c.name());
        }
        if (c.num_devices() <= 0) {
          out.add(place, "The configuration has {} devices", c.num_devices());
        } else if (!c.devices().empty() && c.devices().size() != c.num_devices()) {
          out.add(place, "The configuration has {} devices and lists {}", c.num_devices(),
                  c.devices().size());
        }
      }
    })};

const Rule device_config_unresolved{
    .id = "OCD002",
    .name = "device-config-unresolved",
    .min_ir = 11,
    .purpose = "Checks that nodes refer to device configurations that exist",
    .citation = "[IR.md#node-device-configuration]",
    .why = "A placement under an unknown configuration is never applied.",
    .bad = "a node with configuration_id \"pair\" in a model without that configuration",
    .good = "the same in a model with a configuration \"pair\"",
    .fix = "Add the configuration to the model, or correct the id",
    .check = each_node([](const NodeAt& n, Sink& out) {
      const auto list = n.node.device_configurations();
      for (int i = 0; i < list.size(); ++i) {
        const std::string& id = list[i].configuration_id();
        if (configuration_named(n.model(), id)) continue;
        const Place place = n.place().down(fmt::format("device_configurations[{}]", i));
        if (id.empty()) {
          out.add(place, "The placement names no configuration");
        } else {
          out.add(place, "The model has no configuration \"{}\"", id);
        }
      }
    })};

const Rule sharding_tensor_unknown{
    .id = "OCD003",
    .name = "sharding-tensor-unknown",
    .min_ir = 11,
    .purpose = "Checks that a sharding speaks of an input or output of its node",
    .citation = "[IR.md#sharding-specification]",
    .why = "A sharding of another value is never applied.",
    .bad = "a sharding of \"w\" on a node that neither reads nor makes it",
    .good = "a sharding of the node's first input",
    .fix = "Name an input or output of the node",
    .check = each_node([](const NodeAt& n, Sink& out) {
      each_sharding(n, [&](const ShardingSpecView& spec, const NodeDeviceConfigurationView&,
                           const Place& place) {
        const std::string& name = spec.tensor_name();
        if (has_value(n.node.inputs(), name) || has_value(n.node.outputs(), name)) return;
        out.add(place, "\"{}\" is neither input nor output of the node", name);
      });
    })};

const Rule sharding_axis{
    .id = "OCD004",
    .name = "sharding-axis",
    .min_ir = 11,
    .purpose = "Checks that a sharding divides axes that exist, each once, into one shard or more",
    .citation = "[IR.md#sharded-dimension] [IR.md#simple-sharded-dimension]",
    .why = "Runtimes split tensors by these numbers.",
    .bad = "a sharding of axis 3 of a matrix, or into 0 shards",
    .good = "a sharding of axis 0 into 2 shards",
    .fix = "Correct the axis or the number of shards",
    .check = each_node([](const NodeAt& n, Sink& out) {
      each_sharding(n, [&](const ShardingSpecView& spec, const NodeDeviceConfigurationView&,
                           const Place& place) {
        std::optional<std::int64_t> rank;
        const auto declared = n.body.declared.find(spec.tensor_name());
        if (declared != n.body.declared.end() && declared->second.type().has_shape()) {
          rank = declared->second.type().dims().size();
        }
        std::set<std::int64_t> axes;
        const auto dims = spec.sharded_dims();
        for (int i = 0; i < dims.size(); ++i) {
          const Place at = place.down(fmt::format("sharded_dim[{}]", i));
          const std::int64_t axis = dims[i].axis();
          if (!dims[i].has_axis()) {
            out.add(at, "The sharding names no axis");
          } else if (rank && (axis < -*rank || axis >= *rank)) {
            out.add(at, "Axis {} is out of range for \"{}\" of rank {}", axis, spec.tensor_name(),
                    *rank);
          } else if (!axes.insert(rank && axis < 0 ? axis + *rank : axis).second) {
            out.add(at, "Axis {} is sharded twice", axis);
          }
          for (const SimpleShardedDimView part : dims[i].simple_shardings()) {
            if (part.num_shards() > 0) continue;
            out.add(at, "Axis {} is divided into {} shards", axis, part.num_shards());
          }
        }
      });
    })};

const Rule device_index{
    .id = "OCD005",
    .name = "device-index",
    .severity = Severity::warning,
    .min_ir = 11,
    .purpose = "Checks that shardings use devices of their configuration",
    .citation = "[onnx.proto#ShardingSpecProto]",
    .why = "A device number is below num_devices, or the key of a group of devices.",
    .bad = "device 2 under a configuration of 2 devices",
    .good = "devices 0 and 1 under a configuration of 2 devices",
    .fix = "Correct the device number, or add the group to index_to_device_group_map",
    .check = each_node([](const NodeAt& n, Sink& out) {
      each_sharding(
          n, [&](const ShardingSpecView& spec,
                 const NodeDeviceConfigurationView& node_configuration, const Place& place) {
            const auto configuration =
                configuration_named(n.model(), node_configuration.configuration_id());
            if (!configuration) return;  // OCD002's
            const auto is_device = [&](std::int64_t device) {
              return device >= 0 && device < configuration->num_devices();
            };
            std::set<std::int64_t> groups;
            for (const DeviceGroupView group : spec.device_groups()) {
              if (!groups.insert(group.key()).second) {
                out.add(place, "Group {} is given twice", group.key());
              }
              for (const std::int64_t device : group.devices()) {
                if (is_device(device)) continue;
                out.add(place, "Group {} has device {}, the configuration has {}", group.key(),
                        device, configuration->num_devices());
              }
            }
            for (const std::int64_t device : spec.devices()) {
              if (is_device(device) || groups.contains(device)) continue;
              out.add(place, "Device {} is none of the {} of configuration \"{}\", nor a group",
                      device, configuration->num_devices(), configuration->name());
            }
          });
    })};

}  // namespace onnxcompat::rules
