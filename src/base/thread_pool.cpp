// SPDX-License-Identifier: MIT
#include "base/thread_pool.h"

#include <sched.h>

#include <utility>

#include "base/float_environment.h"


namespace tacit {
namespace {

// How often a thread looks before it sleeps: some tens of microseconds, longer than the gap between two steps of a
// small model and far shorter than a time slice.
constexpr int kSpins = 4000;

std::uint32_t usable_processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return static_cast<std::uint32_t>(CPU_COUNT(&set));
  const unsigned count = std::thread::hardware_concurrency();
  return count > 0 ? count : 1;
}

// Waits until `value` is no longer `old`.
void wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old, int spins) {
  for (int i = 0; i < spins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(std::uint32_t thread_count) {
  if (thread_count == 0) thread_count = usable_processors();
  spins_ = thread_count <= usable_processors() ? kSpins : 0;  // spinning on a processor that another thread needs
  for (std::uint32_t i = 1; i < thread_count; ++i) workers_.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  generation_.fetch_add(1);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(std::uint32_t task_count, const std::function<void(std::uint32_t)>& body) {
  body_ = &body;
  task_count_ = task_count;
  next_task_.store(0, std::memory_order_relaxed);
  const bool alone = task_count <= 1 || workers_.empty();
  if (!alone) {
    busy_workers_.store(static_cast<std::uint32_t>(workers_.size()), std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
  }
  take_tasks();
  while (!alone) {
    const std::uint32_t busy = busy_workers_.load(std::memory_order_acquire);
    if (busy == 0) break;
    wait_for_change(busy_workers_, busy, spins_);
  }
  if (!failed_.exchange(false)) return;
  std::rethrow_exception(std::exchange(failure_, nullptr));
}

void ThreadPool::work() {
  const DefaultFloatEnvironment environment;
  std::uint32_t seen = 0;
  while (true) {
    wait_for_change(generation_, seen, spins_);
    ++seen;
    if (stop_.load()) return;
    take_tasks();
    if (busy_workers_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_workers_.notify_one();
  }
}

void ThreadPool::take_tasks() {
  while (true) {
    const std::uint32_t task = next_task_.fetch_add(1, std::memory_order_relaxed);
    if (task >= task_count_) return;
    try {
      (*body_)(task);
    } catch (...) {
      if (!failed_.exchange(true)) failure_ = std::current_exception();
    }
  }
}

}  // namespace tacit
