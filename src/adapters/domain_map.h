#pragma once

// Transitions of a domain that the tables do not hold, declared as data by its owner
// (docs/domain-map.md).

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/registry.h"
#include "model/model.h"
#include "support/error.h"

namespace onnxcompat {

class DomainMap {
 public:
  /// One operator between two of its versions.
  struct Change {
    std::string op;       ///< its name in the older version
    std::string renamed;  ///< its name in the newer one, if that is another
    int from = 0;
    int to = 0;
    std::unique_ptr<adapters::Transition> transition;

    const std::string& newer_name() const { return renamed.empty() ? op : renamed; }
  };
  /// How an operator is written below its first version.
  struct Template {
    int first = 0;
    std::shared_ptr<const Model> holder;  ///< its one function
  };

  /// `name` stands for the file in errors (ExitCode::usage).
  static Result<DomainMap> parse(std::string_view json, std::string domain,
                                 const std::string& name);
  static Result<DomainMap> load(const std::string& path, std::string domain);

  const std::string& domain() const { return domain_; }
  /// The next change on the way of an operator that is at `version`; null if there is none.
  const Change* next(std::string_view op, int version, int target) const;
  const Template* below(std::string_view op, int target) const;

 private:
  std::string domain_;
  std::vector<Change> changes_;
  std::map<std::string, Template, std::less<>> templates_;
  std::vector<std::unique_ptr<std::string>> names_;  ///< what transitions refer to
};

namespace adapters {

/// Writes the nodes of a template in the place of the node.
void expand_template(NodeEdit& e, const Model& holder);

}  // namespace adapters

}  // namespace onnxcompat
