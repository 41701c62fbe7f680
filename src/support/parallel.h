#pragma once

#include <cstddef>
#include <functional>

namespace onnxcompat {

/// Calls work(0) to work(count - 1), each once, in at most `threads` threads, this one among them.
/// Returns when all are done; where no more threads can be had, with those that there are. What a
/// call throws is thrown here, and no further calls begin.
void run_parallel(unsigned threads, std::size_t count,
                  const std::function<void(std::size_t)>& work);

}  // namespace onnxcompat
