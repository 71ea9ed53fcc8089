// SPDX-License-Identifier: MIT
// Attention over the cached slots of one head, for any vector width. Part of vector.inl, which includes it.
namespace tacit::kernels {
namespace {

// True in the lanes whose slot, first + lane, is in the span.
TACIT_INLINE Ints inside(SlotSpan span, std::uint32_t first) {
  const Ints slots = kIota + static_cast<std::int32_t>(first);
  return (slots >= static_cast<std::int32_t>(span.begin)) & (slots < static_cast<std::int32_t>(span.end));
}

// Queries that share the values in registers.
constexpr std::uint32_t kQueriesMax = 4;

// Blocks of slots that are weighed, quantised and multiplied one after another, each step for all of them before the
// next one: within a block every step waits for the one before it.
constexpr std::uint32_t kBlocksAtOnce = 4;
struct AttendedBlock {
  std::uint32_t block;
  SlotSpan span;  // what of it is attended to is inside of this
};
struct AttendedBlocks {
  AttendedBlock blocks[kBlocksAtOnce];
  std::uint32_t count = 0;
};

// What is added up for kQueries queries.
template <std::uint32_t kQueries>
struct AttentionSums {
  float maximum[kQueries];
  Floats weights[kQueries][kVirtual];
  float values[kQueries * kHeadDimMax];  // [query][padded_dim]
  std::uint32_t padded_dim;
};

TACIT_INLINE Floats load_scores(const AttentionHead& head, std::uint32_t query, std::uint32_t slot) {
  const std::size_t i = query * head.score_stride + slot;
  return load(head.scores + i) + load(head.residual_scores + i);
}

// What is subtracted from a query's scores before the exponential. Several vectors look for it, since a comparison
// waits for the one before it.
TACIT_INLINE float largest_score(const AttentionHead& head, std::uint32_t query) {
  const std::size_t some_score = query * head.score_stride + head.spans[0].begin;
  Floats largest[kBlockVectors];
  for (Floats& some : largest) some = splat(head.scores[some_score] + head.residual_scores[some_score]);
  for (std::uint32_t i = 0; i < head.span_count; ++i) {
    const SlotSpan span = head.spans[i];
    for (std::uint32_t slot = span.begin / kBlock * kBlock; slot < span.end; slot += kBlock) {
      const bool is_whole = slot >= span.begin && slot + kBlock <= span.end;
      for (std::uint32_t v = 0; v < kBlockVectors; ++v) {
        const Floats scores = load_scores(head, query, slot + v * kLanes);
        largest[v] = is_whole ? larger(scores, largest[v])
                              : ((inside(span, slot + v * kLanes) & (scores > largest[v])) ? scores : largest[v]);
      }
    }
  }
  for (std::uint32_t v = 1; v < kBlockVectors; ++v) largest[0] = larger(largest[v], largest[0]);
  const float maximum = fold(largest[0], larger) * head.scale;
  return head.sinks != nullptr && head.sinks[query] > maximum ? head.sinks[query] : maximum;
}

// The weights of one block's slots.
template <std::uint32_t kQueries>
TACIT_INLINE void weigh_block(const AttentionHead& head, std::uint32_t first_query, AttendedBlock attended,
                              AttentionSums<kQueries>& sums, Floats (*weights)[kBlockVectors]) {
  const std::uint32_t slot = attended.block * kBlock;
  for (std::uint32_t q = 0; q < kQueries; ++q) {
    for (std::uint32_t v = 0; v < kBlockVectors; ++v) {
      weights[q][v] = load_scores(head, first_query + q, slot + v * kLanes) * head.scale - sums.maximum[q];
    }
  }
  exp_below_max<kQueries * kBlockVectors>(weights[0]);
  if (slot < attended.span.begin || slot + kBlock > attended.span.end) {
    for (std::uint32_t v = 0; v < kBlockVectors; ++v) {
      const Ints is_inside = inside(attended.span, slot + v * kLanes);
      for (std::uint32_t q = 0; q < kQueries; ++q) weights[q][v] = is_inside ? weights[q][v] : Floats{};
    }
  }
  for (std::uint32_t q = 0; q < kQueries; ++q) {
    for (std::uint32_t v = 0; v < kBlockVectors; ++v) {
      sums.weights[q][v % kVirtual] = sums.weights[q][v % kVirtual] + weights[q][v];
    }
  }
}

// Adds the blocks' values, weighed by their slots' weights.
template <std::uint32_t kQueries>
void add_blocks(const AttentionHead& head, std::uint32_t first_query, const AttendedBlocks& attended,
                AttentionSums<kQueries>& sums) {
  Floats weights[kBlocksAtOnce][kQueries][kBlockVectors];
  for (std::uint32_t i = 0; i < attended.count; ++i) {
    weigh_block<kQueries>(head, first_query, attended.blocks[i], sums, weights[i]);
  }
  const std::uint32_t tile_count = sums.padded_dim / kTile;
  constexpr std::uint32_t kGroupTiles = kValueGroup / kTile;
  for (std::uint32_t first = 0; first < tile_count; first += kGroupTiles) {
    const float* value_scales = head.value_scales + (first / kGroupTiles) * head.value_scale_stride;
    std::int16_t quantized[kBlocksAtOnce][kQueries][kBlock];
    float scales[kBlocksAtOnce][kQueries];
    for (std::uint32_t i = 0; i < attended.count; ++i) {
      for (std::uint32_t q = 0; q < kQueries; ++q) {
        Floats scaled[kBlockVectors];
        for (std::uint32_t v = 0; v < kBlockVectors; ++v) {
          const Floats value_scale = load(value_scales + attended.blocks[i].block * kBlock + v * kLanes);
          scaled[v] = weights[i][q][v] == 0.0f ? Floats{} : weights[i][q][v] * value_scale;
        }
        Ints numbers[kBlockVectors];
        scales[i][q] = quantize_vectors(scaled, kAttentionMax, numbers);
        store_int16(quantized[i][q], numbers);
      }
    }
    const std::uint32_t tiles = tile_count - first < kGroupTiles ? tile_count - first : kGroupTiles;
    for (std::uint32_t i = 0; i < attended.count; ++i) {
      const std::size_t tile = std::size_t{attended.blocks[i].block} * tile_count + first;
      add_value_dots<kQueries>(quantized[i], head.values + tile * kTile * kBlock, tiles, scales[i],
                               sums.values + first * kTile, sums.padded_dim);
    }
  }
}

// kQueries queries from `first` on.
template <std::uint32_t kQueries>
void attend_queries(const AttentionHead& head, std::uint32_t first, float* out) {
  AttentionSums<kQueries> sums;
  sums.padded_dim = round_up(head.value_dim, kTile);
  for (std::uint32_t q = 0; q < kQueries; ++q) {
    sums.maximum[q] = largest_score(head, first + q);
    for (Floats& weights : sums.weights[q]) weights = Floats{};
  }
  for (std::uint32_t d = 0; d < kQueries * sums.padded_dim; d += kLanes) store_as(sums.values + d, Floats{});
  AttendedBlocks attended;
  for (std::uint32_t i = 0; i < head.span_count; ++i) {
    const SlotSpan span = head.spans[i];
    for (std::uint32_t block = span.begin / kBlock; block * kBlock < span.end; ++block) {
      if (attended.count == kBlocksAtOnce) {
        add_blocks<kQueries>(head, first, attended, sums);
        attended.count = 0;
      }
      attended.blocks[attended.count++] = {block, span};
    }
  }
  add_blocks<kQueries>(head, first, attended, sums);
  for (std::uint32_t q = 0; q < kQueries; ++q) {
    float total = fold_virtual(sums.weights[q]);
    if (head.sinks != nullptr) total = total + exp_lanes(splat(head.sinks[first + q] - sums.maximum[q]))[0];
    float* values = sums.values + q * sums.padded_dim;
    for (std::uint32_t d = 0; d < sums.padded_dim; d += kLanes) store_as(values + d, load(values + d) / total);
    for (std::uint32_t d = 0; d < head.value_dim; ++d) out[q * head.value_dim + d] = values[d];
  }
}

void attend(const AttentionHead& head, float* out) {
  using Attend = void (*)(const AttentionHead&, std::uint32_t, float*);
  constexpr Attend kAttend[] = {attend_queries<1>, attend_queries<2>, attend_queries<3>, attend_queries<4>};
  static_assert(std::size(kAttend) == kQueriesMax);
  for (std::uint32_t first = 0; first < head.query_count; first += kQueriesMax) {
    const std::uint32_t left = head.query_count - first;
    kAttend[(left < kQueriesMax ? left : kQueriesMax) - 1](head, first, out + first * head.value_dim);
  }
}

}  // namespace
}  // namespace tacit::kernels
