// One test a scenario: tests/segments/<topic>/<name>.seg is segments.<topic>.<name>.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "segments/language/mutants.h"
#include "segments/language/runner.h"

namespace braid::segments {
namespace {

class Scenario : public ::testing::Test {
 public:
  explicit Scenario(std::string file) : file_(std::move(file)) {}
  void TestBody() override {
    const std::string complaint = run_script(file_);
    if (!complaint.empty()) FAIL() << complaint;
    // A test that can't fail is none.
    for (const Mutant& mutant : mutants_of(read_script(file_))) {
      EXPECT_FALSE(run_script(mutant.script).empty()) << mutant.what << "\n    holds as well";
    }
  }

 private:
  std::string file_;
};

void register_scenarios(const std::filesystem::path& root) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().extension() == ".seg") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  for (const std::filesystem::path& file : files) {
    const std::string topic = file.parent_path().filename(), name = file.stem();
    ::testing::RegisterTest(topic.c_str(), name.c_str(), nullptr, nullptr, file.c_str(), 1,
                            [file = file.string()]() -> ::testing::Test* { return new Scenario(file); });
  }
}

}  // namespace
}  // namespace braid::segments

/// With files as arguments it plays those only, outside of GoogleTest: for whoever writes one.
int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  bool is_good = true;
  for (int i = 1; i < argc; ++i) {
    const std::string complaint = braid::segments::run_script(argv[i]);
    if (!complaint.empty()) std::fprintf(stderr, "%s\n", complaint.c_str());
    is_good = is_good && complaint.empty();
  }
  if (argc > 1) return is_good ? 0 : 1;
  braid::segments::register_scenarios(BRAID_SEGMENTS_DIR);
  return RUN_ALL_TESTS();
}
