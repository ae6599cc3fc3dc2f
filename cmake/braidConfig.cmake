# find_package(braid): what a plug-in needs, as the target braid::plugin. A plug-in in one line:
#   braid_add_plugin(NAME source.cc...)   makes NAME.so
include(${CMAKE_CURRENT_LIST_DIR}/braidTargets.cmake)

function(braid_add_plugin name)
  add_library(${name} MODULE ${ARGN})
  set_target_properties(${name} PROPERTIES PREFIX "" CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_link_libraries(${name} PRIVATE braid::plugin)
endfunction()
