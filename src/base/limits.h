// SPDX-License-Identifier: MIT
// Every limit on a number that comes out of a file, with its reason. Parsers read a count, check it here, and only
// then allocate. A limit is far above what exists today and far below what would exhaust a machine.
#pragma once

#include <cstdint>

namespace tacit::limits {

// GGUF. The largest public models have some 2,000 tensors and 60 metadata entries.
inline constexpr std::uint64_t kGgufTensorCountMax = 100'000;
inline constexpr std::uint64_t kGgufMetadataCountMax = 100'000;
inline constexpr std::uint64_t kGgufNameBytesMax = 64 * 1024;  // the specification's own limit on keys is 65,535
inline constexpr std::uint64_t kGgufStringBytesMax = 64 * 1024 * 1024;  // chat templates and tokenizer maps are long
inline constexpr std::uint64_t kGgufArrayLengthMax = 16 * 1024 * 1024;  // vocabularies reach 262,144; merges twice that
inline constexpr std::uint32_t kGgufArrayDepthMax = 4;                  // arrays of arrays are legal and unused
inline constexpr std::uint32_t kGgufDimensionsMax = 4;                  // GGML_MAX_DIMS
inline constexpr std::uint64_t kGgufAlignmentMax = 1024 * 1024;

// Tokenizer.
inline constexpr std::uint32_t kVocabularyMax = 1u << 20;  // four times the largest vocabulary met (262,144)
inline constexpr std::uint32_t kMergesMax = 1u << 21;      // four times the longest list met (514,906)
inline constexpr std::uint32_t kPieceBytesMax = 4096;      // the longest pieces met are 256 blanks

// Model shape.
inline constexpr std::uint32_t kLayersMax = 1024;
inline constexpr std::uint32_t kWidthMax = 1u << 20;  // of any matrix side but the vocabulary
inline constexpr std::uint32_t kHeadsMax = 4096;
inline constexpr std::uint32_t kExpertsMax = 4096;
inline constexpr std::uint32_t kHeadDimMax = 1024;  // kernels keep one head on the stack
inline constexpr std::uint32_t kStateSizeMax = 1024;  // numbers that a channel of a recurrent model remembers
inline constexpr std::uint32_t kContextMax = 1u << 24;
// Of scales, caps, epsilons, and factors: binary32 holds them, their inverses and a few of their products. Those met
// lie between 1e-12 and 1e4.
inline constexpr double kScaleMin = 1e-15;
inline constexpr double kScaleMax = 1e15;
inline constexpr double kAlibiBiasMax = 512;  // 8 in all models met; a slope is 2 to the minus this at the least

// Archive. A group is held in memory by both sides; see spec/archive.md.
inline constexpr std::uint64_t kBlockBytesMax = 64ull * 1024 * 1024;  // original bytes in one block
inline constexpr std::uint32_t kSegmentsMax = 1024;                   // segments in one block
inline constexpr std::uint64_t kStoredBytesMax = kBlockBytesMax + 1024 * 1024;  // stored bytes of one block
inline constexpr std::uint32_t kModelNameBytesMax = 255;
inline constexpr std::uint32_t kWindowMin = 16;
inline constexpr std::uint32_t kWindowMax = 1u << 20;

// Keys and values of all lanes that are coded side by side, in bytes. A block of a 7-billion-parameter model with 20
// lanes of 512 tokens takes as much. Archives state windows and strips, and so ask for memory.
inline constexpr std::uint64_t kCacheBytesMax = 4ull * 1024 * 1024 * 1024;
// Attention scores of one chunk of a lane and the query heads that share keys, in bytes. 128 query heads, the most met,
// have room for 64 Ki positions.
inline constexpr std::uint64_t kScoreBytesMax = 4ull * 1024 * 1024 * 1024;

// The search for models. Caches of model hubs nest some five folders deep; a home folder may be named by mistake.
inline constexpr std::uint32_t kModelFolderDepthMax = 10;
inline constexpr std::uint64_t kModelFolderEntriesMax = 200'000;  // of all folders together
inline constexpr std::uint64_t kModelFilesMax = 10'000;
inline constexpr std::uint64_t kFingerprintCacheBytesMax = 16 * 1024 * 1024;  // some 100 bytes a file

// Symbols of a block that experts learn from: 40 bytes of history each.
inline constexpr std::uint64_t kHistorySymbolsMax = (1u << 23) + kSegmentsMax;  // a byte each, and space prefixes

}  // namespace tacit::limits
