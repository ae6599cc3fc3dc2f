// Sweeps: what --vary says, the product of it, and that nothing depends on how many work on it.
#include "scenario/sweep/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace braid::scenario {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kTwoPaths = std::string(BRAID_EXAMPLES) + "/two-paths.toml";
const std::string kBlocks = std::string(BRAID_EXAMPLES) + "/blocks.toml";

std::vector<std::string> values_of(const std::string& text) {
  const auto variation = parse_variation(text);
  EXPECT_TRUE(variation.has_value()) << (variation ? "" : variation.error());
  return variation ? variation->values : std::vector<std::string>{};
}
std::string error_of(const std::string& text) {
  const auto variation = parse_variation(text);
  return variation ? "" : variation.error();
}

TEST(Variations, AreLists) {
  EXPECT_EQ(parse_variation("links.wifi.loss=0")->key, "links.wifi.loss");
  EXPECT_THAT(values_of("a=1,x, 3 ms"), ElementsAre("1", "x", "3 ms"));
  EXPECT_THAT(values_of(R"(a=[{kind = "nat", first_port = 5}, {kind = "splitter"}],[])"),
              ElementsAre(R"([{kind = "nat", first_port = 5}, {kind = "splitter"}])", "[]"));
  EXPECT_THAT(values_of(R"(a="x,y",z)"), ElementsAre(R"("x,y")", "z"));
  EXPECT_THAT(values_of("a=../x.trace,b=c"), ElementsAre("../x.trace", "b=c"));
}

TEST(Variations, AreRanges) {
  EXPECT_THAT(values_of("a=1..4"), ElementsAre("1", "2", "3", "4"));
  EXPECT_THAT(values_of("a=1..10:4,20"), ElementsAre("1", "5", "9", "20"));
  EXPECT_THAT(values_of("a=0..0.3:0.1"), ElementsAre("0", "0.1", "0.2", "0.3"));
  EXPECT_THAT(values_of("a=10..50:20ms"), ElementsAre("10ms", "30ms", "50ms"));
  EXPECT_THAT(values_of("a=1 Mbit/s..2 Mbit/s:0.5 Mbit/s"), ElementsAre("1Mbit/s", "1.5Mbit/s", "2Mbit/s"));
  EXPECT_THAT(values_of("a=-1..0"), ElementsAre("-1", "0"));
}

TEST(Variations, SayWhatIsWrong) {
  EXPECT_EQ(error_of("loss"),
            "--vary loss: expected KEY=VALUE,VALUE,... such as links.wifi.loss=0,0.01,0.02");
  EXPECT_EQ(error_of("a=1,,2"), "--vary a=1,,2: a value is missing");
  EXPECT_EQ(error_of("a="), "--vary a=: a value is missing");
  EXPECT_THAT(error_of("a=1..x"), HasSubstr("a range is FROM..TO or FROM..TO:STEP"));
  EXPECT_THAT(error_of("a=9..1"), HasSubstr("the smaller number comes first"));
  EXPECT_THAT(error_of("a=1..9:0"), HasSubstr("the step must be over 0"));
  EXPECT_THAT(error_of("a=1ms..2s"), HasSubstr("the units differ: ms and s"));
  EXPECT_THAT(error_of("a=0..1:0.000001"), HasSubstr("10000 at most; take a larger step"));
}

Sweep planned(const std::string& path, const std::vector<std::string>& texts, uint32_t seeds = 1) {
  std::vector<Variation> variations;
  for (const std::string& text : texts) variations.push_back(*parse_variation(text));
  auto sweep = plan_sweep(path, {{"duration", "2s"}}, variations, seeds);
  EXPECT_TRUE(sweep.has_value()) << (sweep ? "" : sweep.error());
  return sweep ? std::move(*sweep) : Sweep{};
}
std::string plan_error(const std::vector<std::string>& texts, uint32_t seeds = 1,
                       const std::string& path = kTwoPaths) {
  std::vector<Variation> variations;
  for (const std::string& text : texts) variations.push_back(*parse_variation(text));
  const auto sweep = plan_sweep(path, {{"duration", "2s"}}, variations, seeds);
  return sweep ? "" : sweep.error();
}

TEST(Sweeps, AreTheProduct) {
  const Sweep sweep = planned(kTwoPaths, {"links.wifi.loss=0,0.5", "workload.1.connections=1..3"}, 4);
  ASSERT_EQ(sweep.combinations.size(), 6u);
  EXPECT_EQ(sweep.run_count(), 24u);
  EXPECT_THAT(sweep.combinations[0].values, ElementsAre("0", "1"));
  EXPECT_THAT(sweep.combinations[1].values, ElementsAre("0", "2"));
  EXPECT_THAT(sweep.combinations[5].values, ElementsAre("0.5", "3"));
  EXPECT_EQ(sweep.combinations[5].scenario.links[0].directions[0].loss, 0.5);
  EXPECT_EQ(sweep.combinations[5].scenario.workloads[0].connections, 3u);
}

TEST(Sweeps, KnowWhatIsWrongBeforeTheyRun) {
  EXPECT_EQ(plan_error({"links.wifi.los=0.1"}),
            "with links.wifi.los=0.1:\n[links.wifi] has no key \"los\"; did you mean \"loss\"?");
  EXPECT_EQ(
      plan_error({"links.wifl.loss=0.1"}),
      "with links.wifl.loss=0.1:\nlinks.wifl.loss: the file has no [links.wifl]; did you mean \"wifi\"?");
  EXPECT_EQ(
      plan_error({"hosts.phon.scheduler=round-robin"}),
      "with hosts.phon.scheduler=round-robin:\nhosts.phon.scheduler: there is no host \"phon\"; did you "
      "mean \"phone\"?");
  EXPECT_THAT(plan_error({"links.wifi.loss=0,2"}), HasSubstr("with links.wifi.loss=2:\n[links.wifi] loss: "));
  EXPECT_THAT(plan_error({"workload.2.bytes=1"}),
              HasSubstr("\"2\" is no place in that array: it has 1 to 1"));
  EXPECT_THAT(plan_error({"duratoin=1s"}), HasSubstr("did you mean \"duration\"?"));
  EXPECT_THAT(plan_error({"duration=1s"}), HasSubstr("both --set and --vary"));
  EXPECT_THAT(plan_error({"name=a", "name=b"}), HasSubstr("is there twice"));
  EXPECT_THAT(plan_error({"seed=1,2"}, 2), HasSubstr("contradict"));
  EXPECT_THAT(plan_error({"name=a"}, 1, "/nowhere.toml"), HasSubstr("/nowhere.toml: No such file"));
  EXPECT_THAT(plan_error({"name=1..10000", "interval=1..10000"}), HasSubstr("that is 100000000 runs"));
}

TEST(Sweeps, DoNotDependOnHowManyWorkOnThem) {
  const Sweep sweep = planned(kBlocks, {"workload.1.size=1KB,20KB", "links.wifi.loss=0,0.02"}, 3);
  const auto csv = [&](unsigned jobs) {
    size_t reports = 0, last = 0;
    const SweepResults results = run_sweep(sweep, {.jobs = jobs, .on_progress = [&](size_t done, size_t of) {
                                                     EXPECT_EQ(of, 12u);
                                                     EXPECT_EQ(done, last + 1);
                                                     last = done;
                                                     ++reports;
                                                   }});
    EXPECT_EQ(reports, 12u);
    return results.to_csv() + results.to_json().dump();
  };
  const std::string alone = csv(1);
  EXPECT_EQ(alone, csv(2));
  EXPECT_EQ(alone, csv(7));
}

TEST(Sweeps, MeasureWhatDiffers) {
  const SweepResults results =
      run_sweep(planned(kTwoPaths, {"links.lte.loss=0,1"}, 2), {.jobs = 2, .on_progress = {}});
  ASSERT_EQ(results.rows.size(), 2u);
  const auto both = results.rows[0].statistic(Measure::kGoodput);
  const auto one = results.rows[1].statistic(Measure::kGoodput);
  EXPECT_GT(both->mean, one->mean * 1.1);
  EXPECT_TRUE(results.is_sound());
  EXPECT_FALSE(results.rows[0].statistic(Measure::kDelayP95).has_value());  // a bulk transfer has none
}

TEST(SweepTables, HaveMeansAndDeviations) {
  const auto run = [](uint64_t seed, double goodput, bool is_sound = true) {
    SweepRun made;
    made.seed = seed;
    made.is_sound = is_sound;
    made.values[static_cast<size_t>(Measure::kGoodput)] = goodput;
    made.values[static_cast<size_t>(Measure::kRetransmissions)] = 7;
    return made;
  };
  SweepResults results{"test", 3, {"a.b", "c"}, {}};
  results.rows.push_back({{"1", "x,\"y\""}, {run(1, 1e6), run(2, 2e6), run(3, 3e6)}});
  EXPECT_EQ(results.rows[0].statistic(Measure::kGoodput)->deviation, 1e6);
  EXPECT_EQ(results.to_csv(),
            "a.b,c,seeds,failed,goodput_bits_per_s,goodput_bits_per_s_sd,retransmissions,retransmissions_sd,"
            "delay_p50_s,delay_p50_s_sd,delay_p95_s,delay_p95_s_sd,delay_p99_s,delay_p99_s_sd,wasted_bytes,"
            "wasted_bytes_sd\n"
            "1,\"x,\"\"y\"\"\",3,0,2000000,1000000,7,0,,,,,,,,\n");
  EXPECT_EQ(results.to_text(),
            "test: 1 combination, 3 seeds each: mean ± standard deviation\n\n"
            "a.b   c       goodput Mbit/s   retransmitted\n"
            "1     x,\"y\"    2.000 ± 1.000           7 ± 0\n");
  results.rows[0].runs[1].is_sound = false;
  EXPECT_FALSE(results.is_sound());
  EXPECT_THAT(results.to_text(), HasSubstr("1 of 3\n"));
}

}  // namespace
}  // namespace braid::scenario
