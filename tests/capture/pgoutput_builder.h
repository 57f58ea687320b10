// Builds pgoutput messages byte by byte, for tests of what reads them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::capture::testing {

class PgoutputBuilder {
 public:
  explicit PgoutputBuilder(char type) : bytes_(1, type) {}

  PgoutputBuilder& U8(uint64_t value) { return Unsigned(value, 1); }
  PgoutputBuilder& U16(uint64_t value) { return Unsigned(value, 2); }
  PgoutputBuilder& U32(uint64_t value) { return Unsigned(value, 4); }
  PgoutputBuilder& U64(uint64_t value) { return Unsigned(value, 8); }
  PgoutputBuilder& Raw(std::string_view text) {
    bytes_ += text;
    return *this;
  }
  PgoutputBuilder& CString(std::string_view text) { return Raw(text).U8(0); }

  // "t:abc" a value, "n" NULL, "u" unchanged.
  PgoutputBuilder& Tuple(const std::vector<std::string>& fields) {
    U16(fields.size());
    for (const std::string& field : fields) {
      Raw(field.substr(0, 1));
      if (field[0] == 't') U32(field.size() - 2).Raw(field.substr(2));
    }
    return *this;
  }
  PgoutputBuilder& Column(bool in_identity, std::string_view name, uint32_t type,
                          int32_t modifier) {
    return U8(in_identity ? 1 : 0).CString(name).U32(type).U32(static_cast<uint32_t>(modifier));
  }

  std::string Take() { return std::move(bytes_); }

 private:
  PgoutputBuilder& Unsigned(uint64_t value, int width) {
    for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) {
      bytes_ += static_cast<char>(value >> shift & 0xFF);
    }
    return *this;
  }

  std::string bytes_;
};

// One well-formed message of every kind, values and NULLs and unchanged TOAST among them.
inline std::vector<std::string> EveryMessage() {
  using B = PgoutputBuilder;
  return {
      B('B').U64(0x16B3748).U64(820'454'400'000'000).U32(731).Take(),
      B('C').U8(0).U64(0x16B3748).U64(0x16B3778).U64(820'454'400'000'000).Take(),
      B('O').U64(0x99).CString("switchyard_shop_reverse").Take(),
      B('M')
          .U8(1)
          .U64(0x16B3700)
          .CString("switchyard.marker")
          .U32(5)
          .Raw(std::string_view("a\0b\n\xff", 5))
          .Take(),
      B('R')
          .U32(16'401)
          .CString("public")
          .CString("Order \"x\"")
          .Raw("d")
          .U16(2)
          .Column(true, "id", 23, -1)
          .Column(false, "naïve", 1043, 44)
          .Take(),
      B('R').U32(16'402).CString("").CString("no_columns").Raw("f").U16(0).Take(),
      B('Y').U32(16'500).CString("public").CString("mood").Take(),
      B('I').U32(16'401).Raw("N").Tuple({"t:1", "n", "t:"}).Take(),
      B('U').U32(16'401).Raw("N").Tuple({"t:1", "u"}).Take(),
      B('U').U32(16'401).Raw("K").Tuple({"t:1", "n"}).Raw("N").Tuple({"t:2", "t:b"}).Take(),
      B('U').U32(16'401).Raw("O").Tuple({"t:1", "t:a"}).Raw("N").Tuple({"t:1", "u"}).Take(),
      B('D').U32(16'401).Raw("K").Tuple({"t:1", "n"}).Take(),
      B('D').U32(16'401).Raw("O").Tuple({"t:1", "t:a"}).Take(),
      B('T').U32(2).U8(3).U32(16'401).U32(16'402).Take(),
      B('T').U32(0).U8(0).Take(),
  };
}

}  // namespace switchyard::capture::testing
