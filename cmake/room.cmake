# braid_room(NAME [DEPS target...] [LIBRARIES lib...])
#
# One static library braid_NAME from the room's *.cc, and one test program NAME_test from its
# *_test.cc (unit tests live beside the code; SERIAL: they run alone, since they start programs). DEPS are the rooms that stand before this one.
# braid_program(NAME): an executable that people run. In release it is optimised across rooms at link time (a segment
# passes through many small functions of five rooms: a quarter to a third of its cost); tests are not, since they link often.
find_package(GTest)
include(GoogleTest)

if(CMAKE_BUILD_TYPE STREQUAL RelWithDebInfo AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  add_compile_options(-flto=auto -ffat-lto-objects)
  # GNU ld by name: of objects that hold both, mold 1.10 takes the machine code.
  add_link_options("$<IF:$<BOOL:$<TARGET_PROPERTY:BRAID_PROGRAM>>,-flto=auto;-fuse-ld=bfd,-fno-lto>")
endif()

function(braid_program name)
  set_target_properties(${name} PROPERTIES BRAID_PROGRAM ON)
endfunction()

function(braid_room name)
  cmake_parse_arguments(ROOM "SERIAL" "" "DEPS;LIBRARIES;TEST_LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(sources)
    add_library(braid_${name} STATIC ${sources})
    target_include_directories(braid_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
    target_link_libraries(braid_${name} PUBLIC ${ROOM_DEPS} ${ROOM_LIBRARIES})
    # What nearly every file includes, parsed once a room.
    target_precompile_headers(braid_${name} PRIVATE <algorithm> <array> <cstdint> <functional> <map> <memory> <optional> <span>
      <string> <string_view> <vector> <boost/container/static_vector.hpp> <fmt/format.h> <tl/expected.hpp>)
  else()
    add_library(braid_${name} INTERFACE)
    target_include_directories(braid_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
    target_link_libraries(braid_${name} INTERFACE ${ROOM_DEPS} ${ROOM_LIBRARIES})
  endif()
  if(tests AND BRAID_TESTS AND NOT BRAID_FUZZ)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE braid_${name} ${ROOM_TEST_LIBRARIES} GTest::gmock GTest::gtest_main)
    target_precompile_headers(${name}_test PRIVATE <gtest/gtest.h> <gmock/gmock.h>)
    gtest_discover_tests(${name}_test TEST_PREFIX ${name}. DISCOVERY_TIMEOUT 60 PROPERTIES RUN_SERIAL "${ROOM_SERIAL}")
  endif()
endfunction()
