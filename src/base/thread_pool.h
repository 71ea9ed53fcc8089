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
  static constexpr std::uint32_t kTasksMax = 1u << 20;

  // `thread_count` threads including the caller's; 0: one per processor that this process may use.
  explicit ThreadPool(std::uint32_t thread_count);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] std::uint32_t thread_count() const { return static_cast<std::uint32_t>(workers_.size()) + 1; }

  // Calls body(0) to body(task_count - 1), each once, and returns when all have returned; task_count < kTasksMax. The
  // caller works too and waits for no thread that has not begun a task, so that a busy machine costs little. An
  // exception of a body is thrown again here, after the others have ended. Not reentrant: a body must not call run of
  // the same pool.
  void run(std::uint32_t task_count, const std::function<void(std::uint32_t)>& body);

 private:
  // One word that names a run, its task count and its next task: a thread that comes late, when another run has begun
  // or the tasks are out, cannot take a task by mistake.
  static std::uint64_t make_ticket(std::uint32_t run, std::uint32_t task_count) {
    return static_cast<std::uint64_t>(run) << 40 | static_cast<std::uint64_t>(task_count) << 20;
  }

  void work();
  void take_tasks();

  int spins_ = 0;
  std::vector<std::thread> workers_;
  std::exception_ptr failure_;
  std::atomic<bool> failed_{false};
  std::atomic<bool> stop_{false};
  std::atomic<const std::function<void(std::uint32_t)>*> body_{nullptr};
  alignas(64) std::atomic<std::uint32_t> run_count_{0};  // what idle workers watch
  alignas(64) std::atomic<std::uint64_t> ticket_{0};
  alignas(64) std::atomic<std::uint32_t> tasks_left_{0};
};

}  // namespace tacit
