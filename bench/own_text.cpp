// SPDX-License-Identifier: MIT
// What the built-in model's own text costs: for each of six samplers texts are drawn from it, token by token, and these
// very tokens coded with the plain softmax, with the mixture of samplers that is told nothing, and with the sampler
// stated; beside them the least that the tokens could cost, -log2 of the probability that the sampler drew each with.
// Tokens, not text: text that is cut into tokens again may hold some that the sampler would never have drawn.
//
//   tacit_own_text [TEXTS [TOKENS]]
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "coding/strip_coder.h"
#include "sampling/sampler.h"
#include "store/builtin_model.h"
#include "store/engines.h"
#include "support/cpu_model.h"

namespace tacit {
namespace {

struct NamedSampler {
  const char* name;
  SamplerSettings settings;
};
const NamedSampler kSamplers[] = {
    {"temperature 1", {}},
    {"temperature 0.7", {.temperature = 0.7F}},
    {"temperature 0.7, top-p 0.9", {.temperature = 0.7F, .top_p = 0.9F}},
    {"top-k 40", {.top_k = 40}},
    {"min-p 0.1", {.min_p = 0.1F}},
    {"greedy", {.temperature = 0.0F}},
};

struct Drawn {
  std::vector<std::vector<TokenId>> texts;
  double ideal_bits = 0;
  std::size_t token_count = 0;
};

// One text being drawn.
struct Author {
  Sampler sampler;
  TokenId last;
  bool ended = false;
};

double bits_of(const SampledDistribution& distribution, TokenId token) {
  const std::uint32_t weight = distribution.weights()[token];
  const Kept& kept = distribution.kept();
  if (weight < kept.lowest || weight > kept.highest) std::abort();  // it was drawn
  return std::log2(static_cast<double>(kept.total)) - std::log2(static_cast<double>(weight));
}

// Draws tokens and says what they could have cost.
class Dice {
 public:
  Dice(const SamplerSettings& settings, std::uint32_t vocabulary_size, const kernels::DistributionKernels& kernels)
      : is_greedy_(settings.temperature == 0.0F),
        distribution_(settings, vocabulary_size, kernels),
        plain_({}, vocabulary_size, kernels),
        ranking_(kernels),
        vocabulary_size_(vocabulary_size) {}

  // Greedy texts would all be the same: each begins with another one of the most likely tokens.
  double first(Author& author, std::uint32_t number, const float* logits) {
    if (!is_greedy_) return next(author, logits);
    if (!plain_.set(logits, nullptr).ok()) std::abort();
    ranking_.reset(plain_.weights(), vocabulary_size_);
    author.last = static_cast<TokenId>(ranking_.token(number));
    return bits_of(plain_, author.last);
  }
  double next(Author& author, const float* logits) {
    if (!distribution_.set(logits, nullptr).ok()) std::abort();
    author.last = author.sampler.draw(logits).value();
    return bits_of(distribution_, author.last);
  }

 private:
  bool is_greedy_;
  SampledDistribution distribution_;
  SampledDistribution plain_;
  Ranking ranking_;
  std::uint32_t vocabulary_size_;
};

// Up to `token_count` tokens of each text; EOS, which is not kept, ends it.
Drawn draw(const LoadedModel& model, const Engine& engine, const SamplerSettings& settings, std::uint32_t text_count,
           std::size_t token_count) {
  const Config& config = model.model.config;
  const std::uint32_t window = config.default_window();
  const std::uint32_t size = config.vocabulary_size;
  std::vector<Author> authors;
  for (std::uint32_t i = 0; i < text_count; ++i) {
    authors.push_back({Sampler::create(settings, i, std::vector<bool>(size), engine.distribution_kernels()).value(),
                       model.tokenizer->context_start_token()});
  }
  const std::unique_ptr<Lanes> lanes = engine.make_lanes(window);
  if (!lanes->reserve(text_count, token_count, ErrorCode::kUsage).ok()) std::abort();
  const std::unique_ptr<Pass> pass = lanes->make_pass(true);
  Dice dice(settings, size, engine.distribution_kernels());
  std::vector<float> logits(engine.logit_stride());
  Drawn drawn;
  drawn.texts.resize(text_count);
  for (std::uint32_t step = 0; step < token_count; ++step) {
    std::vector<Row> rows;
    std::vector<std::uint32_t> numbers;
    for (std::uint32_t i = 0; i < text_count; ++i) {
      if (authors[i].ended) continue;
      rows.push_back({i, step, authors[i].last});
      numbers.push_back(i);
    }
    if (rows.empty()) break;
    pass->run(rows);
    for (std::uint32_t row = 0; row < rows.size(); ++row) {
      Author& author = authors[numbers[row]];
      pass->logits({&row, 1}, logits.data());
      const double bits =
          step == 0 ? dice.first(author, numbers[row], logits.data()) : dice.next(author, logits.data());
      author.ended = author.last == model.tokenizer->eos_token();
      if (author.ended) continue;
      drawn.ideal_bits += bits;
      drawn.texts[numbers[row]].push_back(author.last);
      ++drawn.token_count;
    }
  }
  return drawn;
}

// Bytes of code of all texts, a lane each.
double coded_bytes(const LoadedModel& model, const Engine& engine, ThreadPool& pool, const Drawn& drawn, bool adaptive,
                   const std::optional<SamplerSettings>& stated) {
  const CodingContext context{engine, *model.tokenizer, pool, model.model.config.default_window(), adaptive, stated};
  const std::vector<std::span<const TokenId>> strips(drawn.texts.begin(), drawn.texts.end());
  double bytes = 0;
  StripCoder coder(context, Schedule::lockstep());
  const auto encoded = coder.encode(strips, test::ignore_progress);
  for (const ByteVector& code : encoded.value().codes) bytes += static_cast<double>(code.size());
  return bytes;
}

int run(std::uint32_t text_count, std::size_t token_count) {
  const auto loaded = builtin_model();
  if (!loaded.ok()) return 1;
  const LoadedModel& model = *loaded.value();
  ThreadPool pool(0);
  const std::unique_ptr<Engine> engine = make_engine(model, {"", &pool}).value();
  std::printf("%-28s %8s %9s | bytes: %8s %8s %8s %8s | ratio %7s %7s\n", "sampler", "tokens", "text", "least", "plain",
              "told not", "stated", "plain", "told not");
  for (const NamedSampler& sampler : kSamplers) {
    const Drawn drawn = draw(model, *engine, sampler.settings, text_count, token_count);
    double text_bytes = 0;
    for (const auto& text : drawn.texts) {
      text_bytes += static_cast<double>(model.tokenizer->decode(text, false).value().size());
    }
    const double plain = coded_bytes(model, *engine, pool, drawn, false, {});
    const double told_nothing = coded_bytes(model, *engine, pool, drawn, true, {});
    const double stated = coded_bytes(model, *engine, pool, drawn, true, sampler.settings);
    std::printf("%-28s %8zu %9.0f | %15.0f %8.0f %8.0f %8.0f | %13.2f %7.2f\n", sampler.name, drawn.token_count,
                text_bytes, drawn.ideal_bits / 8, plain, told_nothing, stated, text_bytes / plain,
                text_bytes / told_nothing);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace tacit

int main(int argument_count, char** arguments) {
  const auto number = [&](int i, std::size_t otherwise) {
    return argument_count > i ? std::strtoul(arguments[i], nullptr, 10) : otherwise;
  };
  return tacit::run(static_cast<std::uint32_t>(number(1, 32)), number(2, 1000));
}
