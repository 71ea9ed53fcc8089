// SPDX-License-Identifier: MIT
// Outputs appear whole or not at all, whoever ends the process and whatever the name, and nobody can read them who
// could not read what they were made from.
#include "base/output_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/signals_held.h"
#include "base/thread_pool.h"
#include "support/temporary_folder.h"

namespace tacit {
namespace {

namespace fs = std::filesystem;
using test::read_file;
using test::write_file;
using Names = std::set<std::string>;

class OutputFiles : public test::TemporaryFolder {
 protected:
  // Opens the output and writes to it. Call within ASSERT_NO_FATAL_FAILURE.
  void begin(const std::string& name, bool replace = false, const std::optional<FileAccess>& access = {}) {
    Result<OutputFile> opened = OutputFile::open(path(name), replace, access);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    output_ = std::make_unique<OutputFile>(std::move(opened).value());
    ASSERT_TRUE(output_->write(as_bytes("new")).ok());
  }
  void commit() {
    const Status status = output_->commit();
    ASSERT_TRUE(status.ok()) << status.error().message;
  }
  [[nodiscard]] struct stat info(const std::string& name) const {
    struct stat found {};
    EXPECT_EQ(::stat(path(name).c_str(), &found), 0) << name;
    return found;
  }
  [[nodiscard]] mode_t mode(const std::string& name) const { return info(name).st_mode & 07777; }
  [[nodiscard]] std::string temporary(const std::string& name) const {
    return name + "." + std::to_string(::getpid()) + "-0.tmp";
  }

  std::unique_ptr<OutputFile> output_;
};

TEST_F(OutputFiles, AppearWhenTheyAreCommitted) {
  ASSERT_NO_FATAL_FAILURE(begin("out"));
  EXPECT_EQ(names(), (Names{temporary("out")}));
  ASSERT_NO_FATAL_FAILURE(commit());
  EXPECT_EQ(names(), (Names{"out"}));
  output_.reset();
  remove_unfinished_outputs();
  EXPECT_EQ(read_file(path("out")), "new");
}

TEST_F(OutputFiles, LeaveNothingWhenTheyAreGivenUp) {
  write_file(path("out"), "old");
  ASSERT_NO_FATAL_FAILURE(begin("out", true));
  output_.reset();
  EXPECT_EQ(names(), (Names{"out"}));
  EXPECT_EQ(read_file(path("out")), "old");
}

TEST_F(OutputFiles, ASignalHandlerRemovesThemAll) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGTERM, [](int) {
      remove_unfinished_outputs();
      ::_exit(7);
    });
    const Result<OutputFile> first = OutputFile::open(path("first"), false);
    const Result<OutputFile> second = OutputFile::open(path("second"), false);
    while (first.ok() && second.ok()) ::pause();
    ::_exit(1);
  }
  ASSERT_GT(child, 0);
  for (int i = 0; i < 1000 && names().size() < 2; ++i) ::usleep(10'000);
  EXPECT_EQ(names().size(), 2u);
  ::kill(child, SIGTERM);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
  EXPECT_EQ(names(), Names{});
}

std::atomic<int> signals_handled = 0;

// A handler that ran in a worker would not see that another thread is about to note an output's name.
TEST_F(OutputFiles, WorkersTakeNoSignals) {
  ThreadPool pool(4);
  std::signal(SIGUSR1, [](int) { ++signals_handled; });
  {
    const SignalsHeld held;
    ::kill(::getpid(), SIGUSR1);
    ::usleep(50'000);
    EXPECT_EQ(signals_handled, 0);
  }
  EXPECT_EQ(signals_handled, 1);
  std::signal(SIGUSR1, SIG_DFL);
}

TEST_F(OutputFiles, AnExistingFileStaysUnlessItMayBeReplaced) {
  write_file(path("out"), "old");
  EXPECT_FALSE(OutputFile::open(path("out"), false).ok());
  fs::create_symlink(path("nowhere"), path("link"));
  EXPECT_FALSE(OutputFile::open(path("link"), false).ok());
  ASSERT_NO_FATAL_FAILURE(begin("late"));
  write_file(path("late"), "old");
  EXPECT_FALSE(output_->commit().ok());
  output_.reset();
  EXPECT_EQ(read_file(path("late")), "old");
  ASSERT_NO_FATAL_FAILURE(begin("out", true));
  ASSERT_NO_FATAL_FAILURE(commit());
  EXPECT_EQ(read_file(path("out")), "new");
  EXPECT_EQ(names(), (Names{"out", "link", "late"}));
}

TEST_F(OutputFiles, EveryNameThatAFileMayHaveWorks) {
  const std::string longest(255, 'n');
  ASSERT_NO_FATAL_FAILURE(begin(longest));
  ASSERT_NO_FATAL_FAILURE(commit());
  EXPECT_EQ(names(), (Names{longest}));
  EXPECT_FALSE(OutputFile::open(path(longest + "n"), false).ok()) << "refused before the work";
  EXPECT_FALSE(OutputFile::open("", false).ok());
  EXPECT_FALSE(OutputFile::open(path(""), true).ok());
}

TEST_F(OutputFiles, DevicesAndPipesAreWrittenToAsTheyAre) {
  fs::create_symlink("/dev/null", path("null"));
  ASSERT_NO_FATAL_FAILURE(begin("null"));
  EXPECT_EQ(names(), (Names{"null"}));
  ASSERT_NO_FATAL_FAILURE(commit());
  output_.reset();
  EXPECT_TRUE(fs::is_symlink(path("null")));

  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  const Descriptor reader(::open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK));
  ASSERT_NO_FATAL_FAILURE(begin("pipe"));
  ASSERT_NO_FATAL_FAILURE(commit());
  std::string got(8, ' ');
  EXPECT_EQ(::read(reader.number(), got.data(), got.size()), 3);
  EXPECT_EQ(got.substr(0, 3), "new");
}

TEST_F(OutputFiles, NobodyElseReadsThemBeforeTheyHaveTheirPermissions) {
  const FileAccess access{0644, ::geteuid(), ::getegid()};
  ASSERT_NO_FATAL_FAILURE(begin("out", false, access));
  EXPECT_EQ(mode(temporary("out")), 0600u);
  ASSERT_NO_FATAL_FAILURE(commit());
  EXPECT_EQ(mode("out"), 0644u);
}

TEST_F(OutputFiles, RootGivesThemToTheSourcesOwner) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  ASSERT_NO_FATAL_FAILURE(begin("out", false, FileAccess{0640, 65534, 4}));
  ASSERT_NO_FATAL_FAILURE(commit());
  EXPECT_EQ(info("out").st_uid, 65534u);
  EXPECT_EQ(info("out").st_gid, 4u);
  EXPECT_EQ(mode("out"), 0640u);
}

// In the group of the process they get no reader that the source did not have.
TEST_F(OutputFiles, AGroupThatCannotBeGivenLosesItsRights) {
  const bool is_root = ::geteuid() == 0;
  fs::permissions(folder_, fs::perms::all);
  ASSERT_EQ(is_root ? ::seteuid(65534) : 0, 0);
  constexpr gid_t kForeignGroup = 54321;
  for (const auto& [source, expected] :
       {std::pair<mode_t, mode_t>{0640, 0600}, {0644, 0644}, {0664, 0644}, {0604, 0600}}) {
    const std::string name = std::to_string(source);
    ASSERT_NO_FATAL_FAILURE(begin(name, false, FileAccess{source, 0, kForeignGroup}));
    ASSERT_NO_FATAL_FAILURE(commit());
    EXPECT_EQ(mode(name), expected) << std::oct << source;
    EXPECT_EQ(info(name).st_uid, ::geteuid());
  }
  ASSERT_EQ(is_root ? ::seteuid(0) : 0, 0);
}

}  // namespace
}  // namespace tacit
