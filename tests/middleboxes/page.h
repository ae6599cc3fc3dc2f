// docs/middleboxes.md, as the runs make it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "middleboxes/matrix.h"

namespace braid::middleboxes {

/// What a box is, in Markdown; empty for one that the page does not know.
std::string_view introduce(std::string_view box);

/// Where plain TCP delivers and Braid does not; every such cell is here, and the page says why.
struct KnownDifference {
  std::string_view row;  // its label
  Place place;
};
const std::vector<KnownDifference>& known_differences();

/// Runs everything: some seconds.
std::string make_page();

}  // namespace braid::middleboxes
