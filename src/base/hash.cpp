// SPDX-License-Identifier: MIT
#include "base/hash.h"

#include <openssl/evp.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>

namespace tacit {

Sha256 sha256(ByteSpan bytes, const std::function<void(ByteSpan)>& done_with) {
  constexpr std::size_t kPartBytes = std::size_t{4} << 20;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  // With a digest that OpenSSL always has, it is memory that is lacking.
  if (context == nullptr || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
  while (!bytes.empty()) {
    const ByteSpan part = bytes.first(std::min(bytes.size(), kPartBytes));
    EVP_DigestUpdate(context.get(), part.data(), part.size());
    if (done_with) done_with(part);
    bytes = bytes.subspan(part.size());
  }
  Sha256 digest{};
  EVP_DigestFinal_ex(context.get(), digest.data(), nullptr);
  return digest;
}

std::uint64_t xxh3_64(ByteSpan bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string to_hex(ByteSpan bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

std::string to_hex(std::uint64_t value) {
  std::array<std::uint8_t, sizeof(value)> bytes;
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte, value >>= 8) *byte = static_cast<std::uint8_t>(value);
  return to_hex(ByteSpan(bytes));
}

}  // namespace tacit
