// SPDX-License-Identifier: MIT
#include "base/thread_pool.h"

#if defined(__linux__)
#include <sched.h>
#endif

#include <system_error>
#include <utility>

#include "base/float_environment.h"
#include "base/signals_held.h"

namespace tacit {
namespace {

// How often a thread looks before it sleeps: some tens of microseconds, longer than the gap between two steps of a
// small model and far shorter than a time slice.
constexpr int kSpins = 4000;

std::uint32_t usable_processors() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return static_cast<std::uint32_t>(CPU_COUNT(&set));
#endif
  const unsigned count = std::thread::hardware_concurrency();
  return count > 0 ? count : 1;
}

// Waits until `value` is no longer `old`.
void wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old, int spins) {
  for (int i = 0; i < spins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");  // takes about as long; `yield` takes no time on most processors
#endif
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(std::uint32_t thread_count) {
  if (thread_count == 0) thread_count = usable_processors();
  spins_ = thread_count <= usable_processors() ? kSpins : 0;  // spinning on a processor that another thread needs
  const SignalsHeld held;  // from the workers, for good: a client's signals are for threads of its own
  try {
    for (std::uint32_t i = 1; i < thread_count; ++i) workers_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
    // The system gives no more threads: those that started do the work.
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  run_count_.fetch_add(1);
  run_count_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(std::uint32_t task_count, const std::function<void(std::uint32_t)>& body) {
  if (task_count <= 1 || workers_.empty()) {
    for (std::uint32_t task = 0; task < task_count; ++task) body(task);
    return;
  }
  body_.store(&body, std::memory_order_relaxed);
  tasks_left_.store(task_count, std::memory_order_relaxed);
  ticket_.store(make_ticket(run_count_.load(std::memory_order_relaxed) + 1, task_count), std::memory_order_release);
  run_count_.fetch_add(1, std::memory_order_release);
  run_count_.notify_all();
  take_tasks();
  while (true) {
    const std::uint32_t left = tasks_left_.load(std::memory_order_acquire);
    if (left == 0) break;
    wait_for_change(tasks_left_, left, spins_);
  }
  if (!failed_.exchange(false)) return;
  std::rethrow_exception(std::exchange(failure_, nullptr));
}

void ThreadPool::work() {
  const DefaultFloatEnvironment environment;
  while (true) {
    // In this order: the destructor sets stop_ before it counts.
    const std::uint32_t seen = run_count_.load(std::memory_order_acquire);
    if (stop_.load()) return;
    take_tasks();
    wait_for_change(run_count_, seen, spins_);
  }
}

void ThreadPool::take_tasks() {
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (true) {
    const auto task = static_cast<std::uint32_t>(ticket & (kTasksMax - 1));
    const auto task_count = static_cast<std::uint32_t>(ticket >> 20 & (kTasksMax - 1));
    if (task >= task_count) return;
    if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel)) continue;
    try {
      (*body_.load(std::memory_order_relaxed))(task);
    } catch (...) {
      if (!failed_.exchange(true)) failure_ = std::current_exception();
    }
    if (tasks_left_.fetch_sub(1, std::memory_order_acq_rel) == 1) tasks_left_.notify_one();
    ticket = ticket_.load(std::memory_order_acquire);
  }
}

}  // namespace tacit
