// SPDX-License-Identifier: MIT
// The parts of the forward pass. Every function works on a whole sequence, one row a position.
#pragma once

#include <span>

#include "oracle/model.h"
#include "oracle/oracle.h"

namespace tacit::oracle {

// arithmetic.cpp
Matrix zeros(std::size_t row_count, std::size_t column_count);
double dot(std::span<const double> a, std::span<const double> b);
double sigmoid(double x);
double silu(double x);
double squared_relu(double x);
void softmax(Vector& scores);
void add(Matrix& x, const Matrix& y, double scale = 1);
Matrix apply(const Matrix& weight, const Matrix& x);  // weight x
Matrix apply(const Linear& linear, const Matrix& x);  // weight x + bias
Matrix normalise(const Matrix& x, const Norm& norm);
Matrix normalise(const Matrix& x, const std::optional<Norm>& norm);  // x where there is none

// attention.cpp: softmax(query key^T) value with everything that models do to it, and the output layer.
Matrix attention(const Attention& attention, const Matrix& x, const AttentionRule& rule);

// experts.cpp
Matrix feed_forward(const FeedForward& layer, const Matrix& x);
Matrix feed_forward(const Experts& layer, const Matrix& x);

// recurrent.cpp: what the layer adds to or makes of `x`. `first_value` is filled by the first RWKV-7 layer and read by
// the others.
void run(const Rwkv6Layer& layer, Matrix& x);
void run(const Rwkv7Layer& layer, Matrix& x, Matrix& first_value);
void run(const MambaLayer& layer, Matrix& x);

}  // namespace tacit::oracle
