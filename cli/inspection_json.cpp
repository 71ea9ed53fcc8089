// SPDX-License-Identifier: MIT
// Objects are put together with nlohmann, the lists of tokens as text: there may be millions of them.
#include "inspection_json.h"

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

namespace tacit::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kShareMin = 0.0005;

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// To five significant digits, so that the text is short.
double rounded(double number) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.5g", number);
  return std::strtod(text.data(), nullptr);
}

Json quotient(double numerator, double denominator) {
  return denominator == 0 ? Json(nullptr) : Json(numerator / denominator);
}

// The number of bytes of the UTF-8 sequence that `text` begins with; 0 where it begins with none.
std::size_t sequence_bytes(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  const std::size_t count = first >= 0xf0 && first < 0xf5   ? 4
                            : first >= 0xe0 && first < 0xf0 ? 3
                            : first >= 0xc2 && first < 0xe0 ? 2
                                                            : 0;
  if (count == 0 || text.size() < count) return 0;
  for (std::size_t i = 1; i < count; ++i) {
    if (at(i) < 0x80 || at(i) >= 0xc0) return 0;
  }
  const bool is_overlong = (first == 0xe0 && at(1) < 0xa0) || (first == 0xf0 && at(1) < 0x90);
  const bool is_no_character = (first == 0xed && at(1) >= 0xa0) || (first == 0xf4 && at(1) >= 0x90);
  return is_overlong || is_no_character ? 0 : count;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t count = sequence_bytes(text);
    if (count == 0) return false;
    text.remove_prefix(count);
  }
  return true;
}

std::string hexadecimal(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

// A token may hold part of a character: its text is then null, and its bytes are in "hex".
void add_text(Json& object, const void* bytes, std::size_t byte_count) {
  const std::string_view text(static_cast<const char*>(bytes), byte_count);
  const bool is_text = is_utf8(text);
  object["text"] = is_text ? Json(text) : Json(nullptr);
  if (!is_text) object["hex"] = hexadecimal(text);
}

// Those that are too small to matter are left out.
Json shares_json(const tacit_share* shares, std::size_t count, double scale) {
  Json object = Json::object();
  for (std::size_t i = 0; i < count; ++i) {
    const double share = shares[i].share * scale;
    if (share >= kShareMin) object[shares[i].name] = rounded(share);
  }
  return object;
}

Json shares_json(const NamedSums& sums, double scale) {
  return shares_json(sums.sums().data(), sums.sums().size(), scale);
}

Json alternatives_json(const tacit_span& token) {
  Json list = Json::array();
  for (std::size_t i = 0; i < token.alternative_count; ++i) {
    const tacit_alternative& alternative = token.alternatives[i];
    Json object = {{"symbol", alternative.symbol}};
    add_text(object, alternative.bytes, alternative.byte_count);
    object["probability"] = rounded(alternative.probability);
    list.push_back(std::move(object));
  }
  return list;
}

Json sum_json(const SpanSum& sum) { return {{"count", sum.count}, {"bytes", sum.bytes}, {"bits", sum.bits}}; }

Json codings_json(const Inspection& inspection) {
  Json object = Json::object();
  for (std::size_t coding = 0; coding < kCodingCount; ++coding) {
    const SpanSum& sum = inspection.codings()[coding];
    if (sum.count > 0) object[coding_name(coding)] = sum_json(sum);
  }
  return object;
}

Json experts_json(const Inspection& inspection) {
  Json object = Json::object();
  const std::vector<tacit_share>& bits = inspection.expert_bits().sums();
  for (std::size_t i = 0; i < bits.size(); ++i) {
    const double tokens = inspection.expert_tokens().sums()[i].share;
    object[bits[i].name] = {{"bits", bits[i].share}, {"paid_most", static_cast<std::uint64_t>(tokens)}};
  }
  return object;
}

Json totals_json(const tacit_archive_info& archive, const Inspection& inspection) {
  const SpanSum tokens = inspection.tokens();
  const auto original_bytes = static_cast<double>(archive.original_bytes);
  const auto archive_bytes = static_cast<double>(archive.archive_bytes);
  return {{"original_bytes", archive.original_bytes},
          {"archive_bytes", archive.archive_bytes},
          {"ratio", quotient(original_bytes, archive_bytes)},
          {"bits_per_byte", quotient(archive_bytes * 8, original_bytes)},
          {"bits_per_token", quotient(tokens.bits, static_cast<double>(tokens.count))},
          {"tokens", sum_json(tokens)},
          {"stored", sum_json(inspection.stored())},
          {"codings", codings_json(inspection)},
          {"experts", experts_json(inspection)}};
}

Json bucket_json(const TimeBucket& bucket, std::uint64_t first) {
  const double scale = 1.0 / static_cast<double>(bucket.token_count);
  return {{"first", first},
          {"token_count", bucket.token_count},
          {"bits", rounded(bucket.bits)},
          {"model_weight", rounded(bucket.model_weight * scale)},
          {"experts", shares_json(bucket.experts, scale)},
          {"samplers", shares_json(bucket.samplers, scale)}};
}

std::vector<std::string> timeline_json(const Timeline& timeline) {
  std::vector<std::string> list;
  for (std::size_t i = 0; i < timeline.buckets().size(); ++i) {
    const TimeBucket& bucket = timeline.buckets()[i];
    if (bucket.token_count > 0) list.push_back(dump(bucket_json(bucket, i * timeline.bucket_tokens())));
  }
  return list;
}

// What identifies text and model.
Json head_json(const std::string& name, const tacit_archive_info& archive) {
  const bool needs_model = archive.model_fingerprint[0] != '\0';
  return {{"file", name},
          {"model_name", needs_model ? Json(archive.model_name) : Json(nullptr)},
          {"model_fingerprint", needs_model ? Json(archive.model_fingerprint) : Json(nullptr)},
          {"contract", archive.contract},
          {"window", archive.window}};
}

void append_list(std::string& text, std::string_view key, const std::vector<std::string>& objects) {
  text.append(",\n\"").append(key).append("\":[");
  for (std::size_t i = 0; i < objects.size(); ++i) text.append(i == 0 ? "\n" : ",\n").append(objects[i]);
  text += "]";
}

}  // namespace

std::string span_json(const tacit_span& span) {
  Json object = {{"coding", coding_name(span.coding)},
                 {"offset", span.offset},
                 {"byte_count", span.byte_count},
                 {"bits", rounded(span.bits)}};
  if (!is_token(span.coding)) return dump(object);
  add_text(object, span.bytes, span.byte_count);
  object["symbol"] = span.symbol;
  object["lane"] = span.lane;
  object["order"] = span.order;
  object["probability"] = rounded(span.probability);
  object["model_probability"] = rounded(span.model_probability);
  object["model_weight"] = rounded(span.model_weight);
  object["experts"] = shares_json(span.experts, span.expert_count, 1);
  object["alternatives"] = alternatives_json(span);
  return dump(object);
}

std::string inspection_json(const std::string& name, const tacit_archive_info& archive, const Inspection& inspection) {
  std::string text = dump(head_json(name, archive));
  text.pop_back();  // lists follow before the last brace
  text += ",\n\"totals\":" + dump(totals_json(archive, inspection));
  append_list(text, "timeline", timeline_json(inspection.timeline()));
  append_list(text, "expensive", inspection.expensive());
  append_list(text, "tokens", inspection.spans());
  return text + "}\n";
}

}  // namespace tacit::cli
