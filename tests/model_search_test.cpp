// SPDX-License-Identifier: MIT
// Finding models as a client sees it: whatever folders and caches hold, the list ends, names the usable models and says
// why others are not, and no archive is decoded with any model but its own.
#include <tacit/tacit.h>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "support/api_buffer.h"
#include "support/temporary_folder.h"
#include "support/echo_model.h"

namespace {

namespace fs = std::filesystem;
using tacit::as_text;
using tacit::ByteVector;
using tacit::test::read_file;
using tacit::test::echo_model;
using tacit::test::write_file;
using Buffer = tacit::test::ApiBuffer;

const std::string kRepeated = tacit::test::echo_text();

struct Listed {
  std::string path, name, fingerprint, architecture, problem;
  std::uint64_t file_bytes = 0;
};

int take(void* context, const tacit_found_model* model) {
  static_cast<std::vector<Listed>*>(context)->push_back({model->path == nullptr ? "" : model->path, model->name,
                                                         model->fingerprint, model->architecture, model->problem,
                                                         model->file_bytes});
  return 0;
}

int stop(void* context, const tacit_found_model*) { return ++*static_cast<int*>(context); }

struct Model {
  tacit_model* handle = nullptr;
  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  ~Model() { tacit_model_close(handle); }

  [[nodiscard]] std::string fingerprint() const {
    tacit_model_info info;
    tacit_model_info_init(&info);
    EXPECT_EQ(tacit_model_get_info(handle, &info), TACIT_OK);
    return info.fingerprint;
  }
};

// The search path is `models` in the test's folder, the cache `cache`.
class ModelSearch : public tacit::test::TemporaryFolder {
 protected:
  void SetUp() override {
    TemporaryFolder::SetUp();
    fs::create_directory(path("models"));
    ::setenv("TACIT_MODEL_PATH", path("models").c_str(), 1);
    ::setenv("XDG_CACHE_HOME", path("cache").c_str(), 1);
  }
  void TearDown() override {
    ::unsetenv("TACIT_MODEL_PATH");
    ::unsetenv("XDG_CACHE_HOME");
    TemporaryFolder::TearDown();
  }

  std::string write(const std::string& name, const ByteVector& bytes) {
    write_file(path(name), as_text(bytes));
    return path(name);
  }

  [[nodiscard]] std::string cache() const { return path("cache/tacit/fingerprints"); }
  void write_cache(const std::string& text) {
    fs::create_directories(path("cache/tacit"));
    write_file(cache(), text);
  }
  // Puts `replacement` in the place of `fingerprint` in the cache.
  void forge(const std::string& fingerprint, const std::string& replacement) {
    std::string text = read_file(cache());
    const std::size_t place = text.find(fingerprint);
    ASSERT_NE(place, std::string::npos) << text;
    write_file(cache(), text.replace(place, fingerprint.size(), replacement));
  }

  // Without the built-in model, which comes first.
  static std::vector<Listed> list(const std::vector<const char*>& paths = {}) {
    std::vector<Listed> models;
    EXPECT_EQ(tacit_models_list(paths.data(), paths.size(), take, &models), TACIT_OK) << tacit_last_error();
    if (models.empty()) return models;
    EXPECT_EQ(models.front().path, "");
    EXPECT_EQ(models.front().problem, "");
    models.erase(models.begin());
    return models;
  }

  static std::string archive_of(const std::string& model_path) {
    Model model;
    EXPECT_EQ(tacit_model_open(model_path.c_str(), &model.handle), TACIT_OK) << tacit_last_error();
    tacit_options options;
    tacit_options_init(&options);
    options.threads = 1;
    options.model = model.handle;
    Buffer out;
    EXPECT_EQ(tacit_compress_buffer(&options, kRepeated.data(), kRepeated.size(), &out.data, &out.size), TACIT_OK);
    return out.text();
  }

  // "" where the archive was decoded, with the model left in `slot`; or the error.
  static std::string decode(const std::string& archive, tacit_model** slot) {
    tacit_options options;
    tacit_options_init(&options);
    options.threads = 1;
    options.found_model = slot;
    Buffer back;
    const tacit_status status =
        tacit_decompress_buffer(&options, archive.data(), archive.size(), &back.data, &back.size);
    if (status == TACIT_OK) {
      EXPECT_EQ(back.text(), kRepeated);
      return "";
    }
    EXPECT_EQ(status, TACIT_MODEL);
    return tacit_last_error();
  }
};

TEST_F(ModelSearch, ListsWhatIsThereAndWhyItCannotBeUsed) {
  fs::create_directories(path("models/deep/er"));
  const ByteVector tiny = echo_model("tiny", 1);
  write("models/a.gguf", tiny);
  write("models/b.gguf", {tiny.begin(), tiny.end() - 100});
  write("models/c.gguf", echo_model("encoder", 1, "bert"));
  write("models/deep/er/d.gguf", echo_model("pieces", 1, "llama", "no-such-tokenizer"));
  write_file(path("models/empty.gguf"), "");
  write_file(path("models/text.txt"), "no model");
  const std::vector<Listed> models = list();
  ASSERT_EQ(models.size(), 5u);
  EXPECT_EQ(models[0].path, path("models/a.gguf"));
  EXPECT_EQ(models[0].name, "tiny");
  EXPECT_EQ(models[0].architecture, "llama");
  EXPECT_EQ(models[0].problem, "");
  EXPECT_EQ(models[0].file_bytes, tiny.size());
  EXPECT_EQ(models[0].fingerprint.size(), 64u);
  EXPECT_NE(models[1].problem, "");
  EXPECT_EQ(models[1].problem.find(models[1].path), std::string::npos) << models[1].problem;
  EXPECT_NE(models[1].fingerprint, models[0].fingerprint);
  EXPECT_NE(models[2].problem.find("bert"), std::string::npos) << models[2].problem;
  EXPECT_EQ(models[2].name, "encoder");
  EXPECT_NE(models[3].problem.find("no-such-tokenizer"), std::string::npos) << models[3].problem;
  EXPECT_NE(models[4].problem, "");
}

TEST_F(ModelSearch, PathsAreListedBesidesWhateverTheirNames) {
  write("models/a.gguf", echo_model("a", 1));
  const std::string odd = write("odd.bin", echo_model("odd", 2));
  fs::create_directory(path("more"));
  write("more/b.gguf", echo_model("b", 3));
  const std::string more = path("more");
  const std::vector<Listed> models = list({odd.c_str(), more.c_str(), odd.c_str(), "/no/such/file"});
  ASSERT_EQ(models.size(), 3u);
  EXPECT_EQ(models[1].name, "odd");
  EXPECT_EQ(models[2].name, "b");
}

TEST_F(ModelSearch, LoopsLinksAndPipesEnd) {
  write("models/a.gguf", echo_model("a", 1));
  fs::create_directory(path("models/folder"));
  fs::create_directory_symlink(path("models"), path("models/folder/loop"));
  fs::create_symlink("a.gguf", path("models/again.gguf"));
  fs::create_symlink("self.gguf", path("models/self.gguf"));
  fs::create_symlink("nowhere", path("models/nowhere.gguf"));
  ASSERT_EQ(::mkfifo(path("models/pipe.gguf").c_str(), 0600), 0);
  EXPECT_EQ(list().size(), 1u);
}

TEST_F(ModelSearch, FoldersAreSearchedToADepthOnly) {
  std::string folder = "models";
  for (int i = 0; i < 20; ++i) folder += "/d";
  fs::create_directories(path(folder));
  write(folder + "/a.gguf", echo_model("a", 1));
  write("models/d/d/b.gguf", echo_model("b", 2));
  const std::vector<Listed> models = list();
  ASSERT_EQ(models.size(), 1u);
  EXPECT_EQ(models[0].name, "b");
}

TEST_F(ModelSearch, AListingCanBeStopped) {
  int calls = 0;
  EXPECT_EQ(tacit_models_list(nullptr, 0, stop, &calls), TACIT_CANCELLED);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(tacit_models_list(nullptr, 1, stop, &calls), TACIT_USAGE);
  EXPECT_EQ(tacit_models_list(nullptr, 0, nullptr, nullptr), TACIT_USAGE);
}

TEST_F(ModelSearch, FingerprintsComeFromTheCacheWhileTheFileIsTheSame) {
  const std::string file = write("models/a.gguf", echo_model("a", 1));
  const std::string fingerprint = list().at(0).fingerprint;
  const std::string forged(64, 'a');
  forge(fingerprint, forged);
  EXPECT_EQ(list().at(0).fingerprint, forged);  // so the file was not hashed
  fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(1));
  EXPECT_EQ(list().at(0).fingerprint, fingerprint);
  forge(fingerprint, forged);
  write("new", echo_model("a", 1));
  fs::last_write_time(path("new"), fs::last_write_time(file));
  fs::rename(path("new"), file);  // another inode
  EXPECT_EQ(list().at(0).fingerprint, fingerprint);
}

TEST_F(ModelSearch, ABrokenCacheIsIgnored) {
  write("models/a.gguf", echo_model("a", 1));
  const std::string fingerprint = list().at(0).fingerprint;
  const std::string good = read_file(cache());
  const std::string broken[] = {"", "\n", "nonsense", good.substr(0, good.size() / 2), good.substr(good.find('\n') + 1),
                                "tacit fingerprints 1\n" + std::string(64, 'a') + " 1 2\nzz\n" + std::string(200, ' '),
                                std::string(1000, '\0')};
  for (const std::string& text : broken) {
    write_cache(text);
    EXPECT_EQ(list().at(0).fingerprint, fingerprint) << text;
    EXPECT_EQ(read_file(cache()), good) << text;
  }
  fs::remove(cache());
  fs::create_directory(cache());
  EXPECT_EQ(list().at(0).fingerprint, fingerprint);
  fs::remove_all(path("cache"));
  ASSERT_EQ(::mkfifo(path("cache").c_str(), 0600), 0);
  EXPECT_EQ(list().at(0).fingerprint, fingerprint);
  fs::remove(path("cache"));
  fs::create_directories(path("cache/tacit"));
  ASSERT_EQ(::mkfifo(cache().c_str(), 0600), 0);
  EXPECT_EQ(list().at(0).fingerprint, fingerprint);
}

TEST_F(ModelSearch, AnArchivesModelIsFoundByItsFingerprint) {
  write("models/a.gguf", echo_model("same name", 1));
  write("models/b.gguf", echo_model("same name", 2));
  write("models/c.gguf", echo_model("other name", 3));
  const std::string second = archive_of(path("models/b.gguf"));
  Model slot;
  EXPECT_EQ(decode(second, &slot.handle), "");
  ASSERT_NE(slot.handle, nullptr);
  const tacit_model* const found = slot.handle;
  EXPECT_EQ(decode(second, &slot.handle), "");
  EXPECT_EQ(slot.handle, found);  // not searched again
  EXPECT_EQ(decode(archive_of(path("models/c.gguf")), &slot.handle), "");
  EXPECT_EQ(slot.fingerprint(), list().at(2).fingerprint);
  EXPECT_EQ(decode(second, nullptr).find("looked"), std::string::npos);  // only where it is asked for
}

// It was only opened: nothing has computed with it yet.
TEST_F(ModelSearch, AModelOfTheCallersInTheSlotIsTaken) {
  const std::string archive = archive_of(write("elsewhere.gguf", echo_model("a", 1)));
  Model slot;
  ASSERT_EQ(tacit_model_open(path("elsewhere.gguf").c_str(), &slot.handle), TACIT_OK);
  const tacit_model* const given = slot.handle;
  EXPECT_EQ(decode(archive, &slot.handle), "");
  EXPECT_EQ(slot.handle, given);
}

TEST_F(ModelSearch, FilesOfTheRightNameAreHashedFirst) {
  write("models/a.gguf", echo_model("a", 1));
  const std::string archive = archive_of(write("models/b.gguf", echo_model("b", 2)));
  Model slot;
  EXPECT_EQ(decode(archive, &slot.handle), "");
  EXPECT_EQ(read_file(cache()).find("a.gguf"), std::string::npos);
}

TEST_F(ModelSearch, AMissingModelsErrorSaysWhereWasLooked) {
  const std::string archive = archive_of(write("elsewhere.gguf", echo_model("tiny", 1)));
  write("models/a.gguf", echo_model("tiny", 2));
  Model slot;
  const std::string error = decode(archive, &slot.handle);
  EXPECT_EQ(slot.handle, nullptr);
  for (const std::string& part : {std::string("\"tiny\""), path("models"), path("cache/tacit/models"),
                                  std::string("TACIT_MODEL_PATH"), std::string("1 GGUF file)")}) {
    EXPECT_NE(error.find(part), std::string::npos) << error;
  }
  fs::create_directory(path("cache/tacit/models"));
  fs::copy_file(path("elsewhere.gguf"), path("cache/tacit/models/x.gguf"));
  EXPECT_EQ(decode(archive, &slot.handle), "");
}

TEST_F(ModelSearch, ACacheThatLiesChangesNoText) {
  const std::string wanted = write("models/b.gguf", echo_model("b", 2));
  const std::string archive = archive_of(wanted);
  write("models/a.gguf", echo_model("a", 1));
  const std::vector<Listed> models = list();
  ASSERT_EQ(models.size(), 2u);
  forge(models[0].fingerprint, models[1].fingerprint);  // both are said to be b
  Model slot;
  EXPECT_EQ(decode(archive, &slot.handle), "");
  EXPECT_EQ(slot.fingerprint(), models[1].fingerprint);
  EXPECT_EQ(list()[0].fingerprint, models[0].fingerprint);  // and what was found out is remembered
}

TEST_F(ModelSearch, NamesFindModels) {
  const std::string first = write("models/a.gguf", echo_model("one", 1));
  write("models/b.gguf", echo_model("two", 2));
  write("models/b-projector.gguf", echo_model("two", 2, "clip"));
  const std::string fingerprint = list().at(0).fingerprint;
  for (const std::string& name : {first, std::string("a"), std::string("a.gguf"), std::string("one"), fingerprint,
                                  fingerprint.substr(0, 8)}) {
    Model model;
    ASSERT_EQ(tacit_model_find(name.c_str(), &model.handle), TACIT_OK) << name << ": " << tacit_last_error();
    EXPECT_EQ(model.fingerprint(), fingerprint) << name;
  }
  Model two;
  EXPECT_EQ(tacit_model_find("two", &two.handle), TACIT_OK) << tacit_last_error();
  Model builtin;
  ASSERT_EQ(tacit_model_open_builtin(&builtin.handle), TACIT_OK);
  Model named;
  ASSERT_EQ(tacit_model_find(builtin.fingerprint().substr(0, 10).c_str(), &named.handle), TACIT_OK);
  EXPECT_EQ(named.fingerprint(), builtin.fingerprint());
  for (const std::string& name : {std::string("three"), fingerprint.substr(0, 7), std::string("models/a"),
                                  std::string("")}) {
    Model none;
    EXPECT_NE(tacit_model_find(name.c_str(), &none.handle), TACIT_OK) << name;
    EXPECT_EQ(none.handle, nullptr);
  }
}

TEST_F(ModelSearch, AmbiguousNamesAreRefusedUnlessTheFilesAreEqual) {
  fs::create_directory(path("models/copy"));
  write("models/a.gguf", echo_model("one", 1));
  write("models/copy/a.gguf", echo_model("one", 1));
  Model model;
  EXPECT_EQ(tacit_model_find("one", &model.handle), TACIT_OK) << tacit_last_error();
  write("models/b.gguf", echo_model("one", 2));
  Model none;
  EXPECT_EQ(tacit_model_find("one", &none.handle), TACIT_MODEL);
  const std::string error = tacit_last_error();
  EXPECT_NE(error.find("several"), std::string::npos) << error;
  EXPECT_NE(error.find(path("models/b.gguf")), std::string::npos) << error;
  EXPECT_EQ(tacit_model_find("b", &none.handle), TACIT_OK) << tacit_last_error();
}

}  // namespace
