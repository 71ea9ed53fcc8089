// SPDX-License-Identifier: MIT
// A learnt probability, and the arithmetic of probabilities that the parts of the predictor share; all of it is in the
// contract (spec/numeric.md, section 10).
#pragma once

#include <algorithm>
#include <cstdint>

#include "numeric/exp.h"
#include "numeric/fast_log.h"

namespace tacit {

// The mean of what was observed, and how often it was.
struct AdaptiveProbability {
  double value = 0;
  double count = 2;

  // The mean of all targets at first, of the newest 1 / rate_min later.
  void update(double target, double rate_min) {
    count += 1.0;
    value = value + std::max(1.0 / count, rate_min) * (target - value);
  }
};

// Log odds of a probability, within +-16.1.
inline double stretch(double p) {
  const numeric::FastLog& ln = numeric::FastLog::instance();
  p = std::clamp(p, 1e-7, 1.0 - 1e-7);
  return ln(p) - ln(1.0 - p);
}

// The inverse.
inline double squash(double x) {
  const double clamped = std::clamp(x, -30.0, 30.0);
  return 1.0 / (1.0 + static_cast<double>(numeric::exp(static_cast<float>(-clamped))));
}

// The posterior of one of two predictors, after something to which it gave the probability p, and the other one
// `other`.
inline double bayes_update(double prior, double p, double other) {
  const double own = prior * p;
  return own / (own + (1.0 - prior) * other);
}

}  // namespace tacit
