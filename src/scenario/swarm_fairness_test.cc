#include "scenario/swarm_fairness.h"

#include <algorithm>

namespace braid::scenario {
namespace {

TEST(SwarmFairness, FewSharesAreNotJudged) {
  EXPECT_TRUE(judge_shares({}).is_fair);
  EXPECT_TRUE(judge_shares(std::vector<double>(29, 3)).is_fair);
  EXPECT_FALSE(judge_shares(std::vector<double>(30, 3)).is_fair);
  EXPECT_TRUE(judge_shares(std::vector<double>(30, 0.9)).is_fair);
}

// The check sees what it is for: the same bottlenecks, with subflows that know nothing of each other.
TEST(SwarmFairness, UncoupledSubflowsAreFoundOut) {
  std::vector<double> coupled, uncoupled;
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    Scenario bottleneck = bottleneck_of(seed);
    coupled.push_back(share_of_coupled(bottleneck));
    const auto host = std::ranges::find(bottleneck.hosts, "coupled", &HostSpec::name);
    ASSERT_NE(host, bottleneck.hosts.end());
    host->config.connection.congestion_control = "reno";
    uncoupled.push_back(share_of_coupled(bottleneck));
  }
  EXPECT_LT(judge_shares(coupled).mean, 1.3);
  EXPECT_GT(judge_shares(uncoupled).mean, 1.6);
}

}  // namespace
}  // namespace braid::scenario
