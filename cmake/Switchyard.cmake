# sy_library, sy_binary, sy_test and sy_fuzz: the only ways this tree makes targets.
include_guard()

option(SY_WERROR "Treat warnings as errors (the presets turn it on)" OFF)
set(SY_SANITIZE "" CACHE STRING "Sanitizers for every target, for example address,undefined")

# gcc 12 sees overlapping copies in std::string's operator+ where there are none (-Wrestrict).
add_library(sy_options INTERFACE)
target_compile_features(sy_options INTERFACE cxx_std_20)
target_include_directories(sy_options INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_options(sy_options INTERFACE -Wall -Wextra -Wnon-virtual-dtor -Woverloaded-virtual
  -Wno-missing-field-initializers $<$<BOOL:${SY_WERROR}>:-Werror>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)
# Linking dozens of test binaries is half of a build: lld does it several times faster.
include(CheckLinkerFlag)
check_linker_flag(CXX "-fuse-ld=lld" SY_HAVE_LLD)
if(SY_HAVE_LLD)
  target_link_options(sy_options INTERFACE -fuse-ld=lld)
endif()
if(SY_SANITIZE)
  target_compile_options(sy_options INTERFACE -fsanitize=${SY_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(sy_options INTERFACE -fsanitize=${SY_SANITIZE})
endif()

# sy_library(NAME applier SRCS applier.cc HDRS applier.h DEPS switchyard::status)
# Header-only when there are no SRCS. The alias is switchyard::NAME.
function(sy_library)
  cmake_parse_arguments(A "" "NAME" "SRCS;HDRS;DEPS" ${ARGN})
  if(A_SRCS)
    add_library(sy_${A_NAME} STATIC ${A_SRCS} ${A_HDRS})
    target_link_libraries(sy_${A_NAME} PUBLIC sy_options ${A_DEPS})
  else()
    add_library(sy_${A_NAME} INTERFACE ${A_HDRS})
    target_link_libraries(sy_${A_NAME} INTERFACE sy_options ${A_DEPS})
  endif()
  add_library(switchyard::${A_NAME} ALIAS sy_${A_NAME})
endfunction()

# sy_binary(NAME switchyard SRCS main.cc DEPS switchyard::capture)
function(sy_binary)
  cmake_parse_arguments(A "" "NAME" "SRCS;DEPS" ${ARGN})
  add_executable(${A_NAME} ${A_SRCS})
  target_link_libraries(${A_NAME} PRIVATE sy_options ${A_DEPS})
endfunction()

# What the sanitizers run: ninja unit_tests, ctest -L unit.
add_custom_target(unit_tests)

# sy_test(NAME lsn_test LABEL unit SRCS lsn_test.cc DEPS switchyard::base [TIMEOUT 60])
# LABEL is one of unit, sim, fuzz, pg, kafka, e2e. One ctest entry per binary.
function(sy_test)
  cmake_parse_arguments(A "" "NAME;LABEL;TIMEOUT" "SRCS;DEPS" ${ARGN})
  add_executable(${A_NAME} ${A_SRCS})
  target_link_libraries(${A_NAME} PRIVATE sy_options ${A_DEPS} GTest::gtest GTest::gmock
    switchyard::test_main)
  add_test(NAME ${A_NAME} COMMAND ${A_NAME})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 120)
  endif()
  set_tests_properties(${A_NAME} PROPERTIES LABELS "${A_LABEL}" TIMEOUT ${A_TIMEOUT})
  if(A_LABEL STREQUAL "unit")
    add_dependencies(unit_tests ${A_NAME})
  endif()
endfunction()

# sy_test_on_18(NAME capture_copy_test TIMEOUT 240)
# The same test once more, its servers those of $SWITCHYARD_PG18_BIN; skipped where that is not set.
function(sy_test_on_18)
  cmake_parse_arguments(A "" "NAME;TIMEOUT" "" ${ARGN})
  add_test(NAME ${A_NAME}_on_18 COMMAND sh -c "[ -n \"$SWITCHYARD_PG18_BIN\" ] || exit 77; \
SWITCHYARD_PG_BIN=$SWITCHYARD_PG18_BIN exec \"$<TARGET_FILE:${A_NAME}>\"")
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 120)
  endif()
  set_tests_properties(${A_NAME}_on_18 PROPERTIES LABELS pg SKIP_RETURN_CODE 77
    TIMEOUT ${A_TIMEOUT})
endfunction()

# sy_fuzz(NAME pgoutput_fuzz SRCS pgoutput_fuzz.cc CORPUS corpus/pgoutput DEPS ...)
# The source defines LLVMFuzzerTestOneInput. Under clang with SY_LIBFUZZER it is a libFuzzer
# binary; otherwise the corpus is replayed as a plain test.
option(SY_LIBFUZZER "Build fuzz targets with libFuzzer (clang only)" OFF)
add_custom_target(fuzzers)
function(sy_fuzz)
  cmake_parse_arguments(A "" "NAME;CORPUS" "SRCS;DEPS" ${ARGN})
  if(SY_LIBFUZZER)
    add_executable(${A_NAME} ${A_SRCS})
    target_compile_options(${A_NAME} PRIVATE -fsanitize=fuzzer)
    target_link_options(${A_NAME} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${A_NAME} ${A_SRCS} "${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cc")
    add_test(NAME ${A_NAME} COMMAND ${A_NAME} "${CMAKE_CURRENT_SOURCE_DIR}/${A_CORPUS}")
    set_tests_properties(${A_NAME} PROPERTIES LABELS fuzz TIMEOUT 120)
  endif()
  target_link_libraries(${A_NAME} PRIVATE sy_options ${A_DEPS})
  add_dependencies(fuzzers ${A_NAME})
endfunction()

# sy_embed(FILE deploy/sql/source.sql VARIABLE kSourceSql)
# Makes "deploy/sql/source.sql.h" with the file's text as switchyard::kSourceSql. The target that
# includes it links switchyard::embedded.
add_library(sy_embedded INTERFACE)
target_include_directories(sy_embedded SYSTEM INTERFACE "${PROJECT_BINARY_DIR}/generated")
add_library(switchyard::embedded ALIAS sy_embedded)
function(sy_embed)
  cmake_parse_arguments(A "" "FILE;VARIABLE" "" ${ARGN})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${A_FILE}")
  file(READ "${PROJECT_SOURCE_DIR}/${A_FILE}" SY_EMBED_TEXT)
  file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/generated/${A_FILE}.h" @ONLY CONTENT
"#pragma once
namespace switchyard {
inline constexpr char @A_VARIABLE@[] = R\"switchyard(@SY_EMBED_TEXT@)switchyard\";
}  // namespace switchyard
")
endfunction()
