#include <iostream>

int main() {
  std::cerr << "lathe\n";
  return 2;
}
