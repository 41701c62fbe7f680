#include "checker/cycles.h"

#include <algorithm>
#include <queue>

namespace onnxcompat {
namespace {

struct Edge {
  int from;
  int to;
  std::string_view value;
};

/// Who feeds whom: edges sorted by the node they leave.
std::vector<Edge> flow(const BodyScope& scope) {
  std::vector<Edge> edges;
  const auto add = [&](const Definition* definition, int reader, std::string_view name) {
    if (definition == nullptr || definition->kind != Definition::Kind::node_output) return;
    edges.push_back({definition->index, reader, name});
  };
  const auto nodes = scope.body.nodes();
  for (int i = 0; i < nodes.size(); ++i) {
    for (const std::string& name : nodes[i].inputs()) add(scope.find(name), i, name);
  }
  for (const auto& capture : scope.captures) add(&capture.definition, capture.node, capture.name);
  std::ranges::stable_sort(edges, {}, &Edge::from);
  return edges;
}

std::vector<std::size_t> first_edges(const std::vector<Edge>& edges, std::size_t nodes) {
  std::vector<std::size_t> first(nodes + 1, edges.size());
  for (std::size_t e = edges.size(); e-- > 0;) first[static_cast<std::size_t>(edges[e].from)] = e;
  for (std::size_t n = nodes; n-- > 0;) first[n] = std::min(first[n], first[n + 1]);
  return first;
}

}  // namespace

// Tarjan's strongly connected components, with a stack of its own instead of recursion.
std::vector<int> circular_components(const BodyScope& scope) {
  const std::vector<Edge> edges = flow(scope);
  const auto count = static_cast<std::size_t>(scope.body.nodes().size());
  const std::vector<std::size_t> first = first_edges(edges, count);
  std::vector<int> number(count, -1), low(count, 0), component(count, -1);
  std::vector<bool> on_stack(count, false);
  std::vector<std::size_t> stack, next_edge(first.begin(), first.end() - 1), calls;
  int numbered = 0;
  int circles = 0;
  for (std::size_t root = 0; root < count; ++root) {
    if (number[root] >= 0) continue;
    calls.push_back(root);
    while (!calls.empty()) {
      const std::size_t node = calls.back();
      if (number[node] < 0) {
        number[node] = low[node] = numbered++;
        stack.push_back(node);
        on_stack[node] = true;
      }
      if (next_edge[node] < first[node + 1]) {
        const auto to = static_cast<std::size_t>(edges[next_edge[node]++].to);
        if (number[to] < 0) {
          calls.push_back(to);
        } else if (on_stack[to]) {
          low[node] = std::min(low[node], number[to]);
        }
        continue;
      }
      calls.pop_back();
      if (!calls.empty()) low[calls.back()] = std::min(low[calls.back()], low[node]);
      if (low[node] != number[node]) continue;
      const bool feeds_itself =
          std::any_of(edges.begin() + static_cast<std::ptrdiff_t>(first[node]),
                      edges.begin() + static_cast<std::ptrdiff_t>(first[node + 1]),
                      [&](const Edge& e) { return static_cast<std::size_t>(e.to) == node; });
      const bool circular = stack.back() != node || feeds_itself;
      std::size_t member = node;
      do {
        member = stack.back();
        stack.pop_back();
        on_stack[member] = false;
        if (circular) component[member] = circles;
      } while (member != node);
      if (circular) ++circles;
    }
  }
  return component;
}

std::vector<Cycle> loops_of(const BodyScope& scope, const std::vector<int>& component) {
  const std::vector<Edge> edges = flow(scope);
  const std::vector<std::size_t> first = first_edges(edges, component.size());
  const int circles = component.empty() ? 0 : *std::ranges::max_element(component) + 1;
  std::vector<bool> done(static_cast<std::size_t>(circles), false);
  std::vector<const Edge*> reached_by(component.size(), nullptr);
  std::vector<Cycle> loops;
  for (std::size_t start = 0; start < component.size(); ++start) {
    const int circle = component[start];
    if (circle < 0 || done[static_cast<std::size_t>(circle)]) continue;
    done[static_cast<std::size_t>(circle)] = true;
    // Breadth first from `start`, within its circle, until it is reached again.
    std::queue<std::size_t> queue;
    queue.push(start);
    while (!queue.empty() && reached_by[start] == nullptr) {
      const std::size_t node = queue.front();
      queue.pop();
      for (std::size_t e = first[node]; e < first[node + 1]; ++e) {
        const auto to = static_cast<std::size_t>(edges[e].to);
        if (component[to] != circle || reached_by[to] != nullptr) continue;
        reached_by[to] = &edges[e];
        queue.push(to);
      }
    }
    Cycle loop;
    std::size_t node = start;
    do {
      const Edge* edge = reached_by[node];
      loop.nodes.push_back(edge->from);
      loop.values.push_back(edge->value);
      node = static_cast<std::size_t>(edge->from);
    } while (node != start);
    std::ranges::reverse(loop.nodes);
    std::ranges::reverse(loop.values);
    loops.push_back(std::move(loop));
  }
  return loops;
}

}  // namespace onnxcompat
