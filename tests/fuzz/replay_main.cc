// Runs a fuzz target over the files of its corpus, as a plain test: every byte string a fuzzer
// once found interesting stays checked without one.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

// In an allocation of its exact size, so that a sanitizer sees a read past the end.
void Run(const std::string& bytes, size_t length) {
  const std::vector<uint8_t> input(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length));
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

}  // namespace

int main(int argc, char** argv) {
  size_t files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string bytes((std::istreambuf_iterator<char>(in)), {});
      // Named first, so that a crash tells which file it was.
      std::printf("%s (%zu bytes)\n", entry.path().c_str(), bytes.size());
      std::fflush(stdout);
      Run(bytes, bytes.size());
      // And every prefix of it, which is what a cut connection leaves.
      for (size_t length = 0; length < bytes.size() && length < 4096; ++length) Run(bytes, length);
      ++files;
    }
  }
  std::printf("%zu files\n", files);
  return files > 0 ? 0 : 1;  // an empty corpus is a mistake in the build, not a pass
}
