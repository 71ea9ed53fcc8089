// SPDX-License-Identifier: MIT
// exp, log, sine and cosine in binary64 for the rotary tables, from + - * / and bit operations only, so that every
// machine and compiler gives the same bits (spec/numeric.md, section 4). Good to a few units in the last place of a
// double, and so exact to the last bit or nearly when rounded to binary32, which is all that the tables keep.
#pragma once

namespace tacit::numeric {

// |x| <= 700.
double exp(double x);
// x > 0, normal.
double log(double x);
// base > 0; |exponent * log(base)| <= 700.
double power(double base, double exponent);

struct SinCos {
  double sine;
  double cosine;
};
// |x| <= 2^26: rotary angles of positions beyond any context length here.
SinCos sin_cos(double x);

}  // namespace tacit::numeric
