// SPDX-License-Identifier: MIT
// Matrices and norms.
#include <algorithm>
#include <cassert>
#include <cmath>

#include "oracle/layers.h"

namespace tacit::oracle {

Matrix zeros(std::size_t row_count, std::size_t column_count) {
  return {row_count, column_count, Vector(row_count * column_count)};
}

double dot(std::span<const double> a, std::span<const double> b) {
  assert(a.size() == b.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double silu(double x) { return x * sigmoid(x); }

double squared_relu(double x) { return x > 0 ? x * x : 0; }

void softmax(Vector& scores) {
  const double largest = *std::ranges::max_element(scores);
  double sum = 0;
  for (double& score : scores) sum += score = std::exp(score - largest);
  for (double& score : scores) score /= sum;
}

void add(Matrix& x, const Matrix& y, double scale) {
  assert(x.values.size() == y.values.size());
  for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] += scale * y.values[i];
}

Matrix apply(const Matrix& weight, const Matrix& x) {
  Matrix y = zeros(x.row_count, weight.row_count);
  for (std::size_t p = 0; p < y.row_count; ++p) {
    for (std::size_t i = 0; i < y.column_count; ++i) y.row(p)[i] = dot(weight.row(i), x.row(p));
  }
  return y;
}

Matrix apply(const Linear& linear, const Matrix& x) {
  Matrix y = apply(linear.weight, x);
  if (linear.bias.empty()) return y;
  for (std::size_t p = 0; p < y.row_count; ++p) {
    for (std::size_t i = 0; i < y.column_count; ++i) y.row(p)[i] += linear.bias[i];
  }
  return y;
}

namespace {

// RMS: x / sqrt(mean(x^2) + epsilon). Layer norm is the same of x - mean(x).
void normalise_group(std::span<double> x, NormKind kind, double epsilon) {
  const auto count = static_cast<double>(x.size());
  if (kind == NormKind::kLayer) {
    double mean = 0;
    for (const double value : x) mean += value / count;
    for (double& value : x) value -= mean;
  }
  const double scale = 1 / std::sqrt(dot(x, x) / count + epsilon);
  for (double& value : x) value *= scale;
}

}  // namespace

Matrix normalise(const Matrix& x, const Norm& norm) {
  assert(x.column_count % norm.group_size == 0);
  Matrix y = x;
  for (std::size_t p = 0; p < y.row_count; ++p) {
    const std::span<double> row = y.row(p);
    for (std::size_t i = 0; i < row.size(); i += norm.group_size) {
      normalise_group(row.subspan(i, norm.group_size), norm.kind, norm.epsilon);
    }
    for (std::size_t i = 0; i < norm.weight.size(); ++i) row[i] *= norm.weight[i];
    for (std::size_t i = 0; i < norm.bias.size(); ++i) row[i] += norm.bias[i];
  }
  return y;
}

Matrix normalise(const Matrix& x, const std::optional<Norm>& norm) { return norm ? normalise(x, *norm) : x; }

}  // namespace tacit::oracle
