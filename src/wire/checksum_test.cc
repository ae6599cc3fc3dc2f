#include "wire/checksum.h"

#include "wire/generators_test.h"

namespace braid::wire {
namespace {

using test::any;
using test::below;
using test::Bytes;

/// RFC 1071 word by word.
uint16_t naive_sum(const Bytes& bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto octet = std::to_integer<uint32_t>(bytes[i]);
    sum += i % 2 == 0 ? octet << 8 : octet;
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<uint16_t>(sum);
}

Bytes pattern(size_t size, uint32_t seed) {
  Bytes bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>((seed = seed * 1664525 + 1013904223) >> 24);
  return bytes;
}

TEST(InternetChecksum, GivesTheSumOfRfc1071) {
  InternetChecksum sum;
  sum.add(test::hex("0001 f203 f4f5 f6f7"));  // its section 3
  EXPECT_EQ(sum.sum(), 0xddf2);
  EXPECT_EQ(sum.checksum(), 0x220d);
}

TEST(InternetChecksum, OfNothingIsZero) {
  EXPECT_EQ(InternetChecksum().sum(), 0);
  EXPECT_EQ(InternetChecksum().checksum(), 0xffff);
}

TEST(InternetChecksum, AgreesWithTheNaiveSumAtEveryLengthAndAlignment) {
  const Bytes bytes = pattern(1200, 7);
  for (size_t size = 0; size <= 600; ++size) {
    for (size_t start = 0; start < 4; ++start) {
      const Bytes part(bytes.begin() + static_cast<ptrdiff_t>(start),
                       bytes.begin() + static_cast<ptrdiff_t>(start + size));
      InternetChecksum sum;
      sum.add({bytes.data() + start, size});
      ASSERT_EQ(sum.sum(), naive_sum(part)) << size << " octets at " << start;
      ASSERT_EQ(sum.size(), size);
    }
  }
}

TEST(InternetChecksum, HoldsOutOnMegabytesOfTheLargestAndSmallestWords) {
  for (const auto octet : {std::byte{0xff}, std::byte{0x80}, std::byte{0x7f}, std::byte{0}}) {
    const Bytes bytes((3u << 20) + 77, octet);
    InternetChecksum sum;
    sum.add(bytes);
    EXPECT_EQ(sum.sum(), naive_sum(bytes)) << std::to_integer<int>(octet);
  }
}

RC_GTEST_PROP(InternetChecksum, DoesNotDependOnHowTheOctetsAreCutUp, ()) {
  const Bytes bytes = pattern(below(3000), any<uint32_t>());
  InternetChecksum sum;
  Bytes copy(bytes.size());
  for (size_t done = 0; done < bytes.size();) {
    const size_t n = 1 + below(std::min<size_t>(bytes.size() - done, 700));
    const std::span<const std::byte> part(bytes.data() + done, n);
    switch (below(3)) {
      case 0:
        sum.add(part);
        std::copy(part.begin(), part.end(), copy.begin() + static_cast<ptrdiff_t>(done));
        break;
      case 1:
        sum.add_copy(part, copy.data() + done);
        break;
      default: {
        InternetChecksum next;
        next.add_copy(part, copy.data() + done);
        sum.append(next);
        break;
      }
    }
    done += n;
  }
  RC_ASSERT(sum.sum() == naive_sum(bytes));
  RC_ASSERT(sum.size() == bytes.size());
  RC_ASSERT(copy == bytes);
}

RC_GTEST_PROP(InternetChecksum, TakesNumbersAsTheirOctets, ()) {
  const auto a = any<uint16_t>();
  const auto b = any<uint32_t>();
  const auto c = any<uint64_t>();
  Bytes bytes = pattern(below(3), any<uint32_t>());
  InternetChecksum sum;
  sum.add(bytes);
  sum.add16(a), sum.add32(b), sum.add64(c);
  for (int i = 1; i >= 0; --i) bytes.push_back(static_cast<std::byte>(a >> (8 * i)));
  for (int i = 3; i >= 0; --i) bytes.push_back(static_cast<std::byte>(b >> (8 * i)));
  for (int i = 7; i >= 0; --i) bytes.push_back(static_cast<std::byte>(c >> (8 * i)));
  RC_ASSERT(sum.sum() == naive_sum(bytes));
}

TEST(PseudoHeader, IsThatOfTheRfcs) {
  const auto v4 = pseudo_header(*IpAddress::parse("192.0.2.1"), *IpAddress::parse("198.51.100.2"), 0x1234);
  EXPECT_EQ(v4.sum(), naive_sum(test::hex("c0000201 c6336402 00 06 1234")));
  const auto v6 =
      pseudo_header(*IpAddress::parse("2001:db8::1"), *IpAddress::parse("2001:db8::ffff:2"), 0x12345);
  EXPECT_EQ(v6.sum(), naive_sum(test::hex("20010db8000000000000000000000001 20010db8000000000000 0000ffff0002"
                                          "00012345 000000 06")));
}

}  // namespace
}  // namespace braid::wire
