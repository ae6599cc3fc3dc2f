#include "cli/progress.h"

#include <gtest/gtest.h>

namespace braid::cli {
namespace {

TEST(ProgressBars, SayHowFarAndHowLong) {
  EXPECT_EQ(Progress::bar(0, 4, "runs", 0), "[>                             ] 0 of 4 runs");
  EXPECT_EQ(Progress::bar(2, 4, "runs", 10), "[===============>              ] 2 of 4 runs, 10 s left");
  EXPECT_EQ(Progress::bar(1, 4, "runs", 0.1), "[=======>                      ] 1 of 4 runs");
  EXPECT_EQ(Progress::bar(1, 3, "runs", 100), "[==========>                   ] 1 of 3 runs, 3 min left");
  EXPECT_EQ(Progress::bar(4, 4, "runs", 10), "[==============================] 4 of 4 runs");
}

TEST(ProgressBars, AreAFewLinesWhereThereIsNoTerminal) {
  testing::internal::CaptureStderr();
  {
    Progress progress("runs", false);
    for (size_t done = 1; done <= 1000; ++done) progress.show(done, 1000);
  }
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.substr(0, 34), "100 of 1000 runs\n200 of 1000 runs\n");
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 10);
  EXPECT_EQ(text.find('\r'), std::string::npos);
}

}  // namespace
}  // namespace braid::cli
