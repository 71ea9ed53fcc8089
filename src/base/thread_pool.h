// SPDX-License-Identifier: MIT
// Persistent worker threads for short, equal tasks. Which thread runs a task never changes a result: tasks share
// nothing that they write.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

namespace tacit {

class ThreadPool {
 public:
  // `thread_count` threads including the caller's; 0: one per processor that this process may use.
  explicit ThreadPool(std::uint32_t thread_count);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] std::uint32_t thread_count() const { return static_cast<std::uint32_t>(workers_.size()) + 1; }

  // Calls body(0) to body(task_count - 1), each once, and returns when all have returned. An exception of a body is
  // thrown again here, after the others have ended. Not reentrant: a body must not call run of the same pool.
  void run(std::uint32_t task_count, const std::function<void(std::uint32_t)>& body);

 private:
  void work();
  void take_tasks();

  int spins_ = 0;
  std::vector<std::thread> workers_;
  const std::function<void(std::uint32_t)>* body_ = nullptr;
  std::uint32_t task_count_ = 0;
  std::exception_ptr failure_;
  std::atomic<bool> failed_{false};
  std::atomic<bool> stop_{false};
  alignas(64) std::atomic<std::uint32_t> generation_{0};
  alignas(64) std::atomic<std::uint32_t> next_task_{0};
  alignas(64) std::atomic<std::uint32_t> busy_workers_{0};
};

}  // namespace tacit
