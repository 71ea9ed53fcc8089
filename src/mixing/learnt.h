// SPDX-License-Identifier: MIT
// Arithmetic that the parts of the predictor share, all of it in the contract (spec/numeric.md, section 10).
#pragma once

#include <algorithm>
#include <cstdint>

#include "numeric/exp.h"
#include "numeric/fast_log.h"

namespace tacit {

// A learnt mean and how often it was learnt from.
struct LearntShare {
  double value = 0;
  double count = 2;

  // Follows a target: the mean of all at first, of the newest 1 / rate_min later.
  void follow(double target, double rate_min) {
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

// The belief in one of two, after what happened with the probabilities that they gave it.
inline double weighed(double belief, double p, double other) {
  const double own = belief * p;
  return own / (own + (1.0 - belief) * other);
}

}  // namespace tacit
