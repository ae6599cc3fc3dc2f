// Requests of programs that manage paths: what is wrong with them is said. What they bring about is tested
// live (tests/live/test_path_program.py).
#include "service/path_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace braid::service {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class PathRequests : public testing::Test {
 protected:
  std::string error(json request) {
    request["command"] = "pm";
    const auto result = run_path_command(host, request, Time{1s});
    return result ? "" : result.error();
  }
  SeededRandom random{1};
  host::Host host{{}, random, Time{1s}};
};

TEST_F(PathRequests, NeedAnActionThatThereIs) {
  EXPECT_THAT(error({}), HasSubstr("\"action\" is needed"));
  EXPECT_THAT(error({{"action", 5}}), HasSubstr("\"action\" is needed"));
  EXPECT_THAT(error({{"action", "anounce"}}), HasSubstr("did you mean \"announce\"?"));
}

TEST_F(PathRequests, NeedATokenOfAConnection) {
  for (const char* action : {"announce", "remove", "open", "close", "set"}) {
    EXPECT_THAT(error({{"action", action}}), HasSubstr("\"token\" is needed"));
    EXPECT_THAT(error({{"action", action}, {"token", "8f3d9c2e"}}), HasSubstr("with the token 8f3d9c2e"));
    EXPECT_THAT(error({{"action", action}, {"token", 0x8f3d9c2eu}}), HasSubstr("with the token 8f3d9c2e"));
    for (const json& token :
         {json("8f3d9c2e0"), json("xyz"), json(""), json(-1), json(1.5), json(1ull << 32)})
      EXPECT_THAT(error({{"action", action}, {"token", token}}), HasSubstr("is no token")) << token;
  }
}

}  // namespace
}  // namespace braid::service
