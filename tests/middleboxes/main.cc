// middlebox_table [FILE]: docs/middleboxes.md from simulations, to standard output or into a file.
#include <cstdio>
#include <fstream>

#include "middleboxes/page.h"

int main(int argc, char** argv) {
  const std::string page = braid::middleboxes::make_page();
  if (argc < 2) {
    std::fputs(page.c_str(), stdout);
    return 0;
  }
  std::ofstream out(argv[1], std::ios::binary);
  out << page;
  out.close();
  if (out) return 0;
  std::perror(argv[1]);
  return 1;
}
