# Tests by glob. ctest labels: unit (seconds, no server), fuzz (corpus replay), lint, e2e (the real
# binary), quick (those of e2e that are fast), faults (e2e that needs a debug build), interop
# (real peers).
enable_testing()

pkg_check_modules(CMOCKA IMPORTED_TARGET cmocka)
option(PL_TESTS "build the tests" ${CMOCKA_FOUND})
if(NOT PL_TESTS)
  return()
endif()
if(NOT CMOCKA_FOUND)
  message(FATAL_ERROR "PL_TESTS needs cmocka (Debian: libcmocka-dev)")
endif()

# A test may look below any floor. It runs in the source directory, so paths of data are relative.
add_library(pl_test INTERFACE)
target_link_libraries(pl_test INTERFACE pl_flags ${PL_LIBS} pl_llhttp pl_roaring OpenSSL::SSL
  OpenSSL::Crypto ZLIB::ZLIB PkgConfig::XXHASH PkgConfig::PCRE2 PkgConfig::ZSTD PkgConfig::SNAPPY
  PkgConfig::LMDB PkgConfig::UV PkgConfig::CURL PkgConfig::LUAJIT PkgConfig::MSGPACK
  PkgConfig::YAML PkgConfig::SODIUM)

# --- unit ---
file(GLOB unit_tests CONFIGURE_DEPENDS "tests/unit/*/*_test.c")
foreach(source ${unit_tests})
  get_filename_component(file "${source}" NAME_WE)
  get_filename_component(folder "${source}" DIRECTORY)
  get_filename_component(folder "${folder}" NAME)
  set(target "unit_${folder}_${file}")
  # `/* faults */` on a line of its own: the test lives on fault points, so only on debug builds.
  file(STRINGS "${source}" needs_faults REGEX "^/[*] faults [*]/" LIMIT_COUNT 1)
  if(needs_faults AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    continue()
  endif()
  add_executable(${target} "${source}")
  target_link_libraries(${target} PRIVATE pl_test PkgConfig::CMOCKA)
  set_target_properties(${target} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests/unit/${folder}" OUTPUT_NAME "${file}")
  string(REGEX REPLACE "_test$" "" name "${file}")
  add_test(NAME "${folder}/${name}" COMMAND ${target} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  set_tests_properties("${folder}/${name}" PROPERTIES LABELS unit TIMEOUT 120)
endforeach()

# --- fuzz targets: libFuzzer, or a driver that replays the corpus ---
file(GLOB fuzz_targets CONFIGURE_DEPENDS "tests/fuzz/fuzz_*.c")
foreach(source ${fuzz_targets})
  get_filename_component(target "${source}" NAME_WE)
  string(REGEX REPLACE "^fuzz_" "" name "${target}")
  set(corpus "${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name}")
  if(PL_FUZZ)
    add_executable(${target} "${source}")
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    add_test(NAME "fuzz/${name}" COMMAND ${target} -runs=0 "${corpus}"
      WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  else()
    add_executable(${target} "${source}" tests/fuzz/replay.c)
    add_test(NAME "fuzz/${name}" COMMAND ${target} "${corpus}")
  endif()
  target_link_libraries(${target} PRIVATE pl_test)
  set_target_properties(${target} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests/fuzz")
  set_tests_properties("fuzz/${name}" PROPERTIES LABELS fuzz TIMEOUT 300)
endforeach()

# --- micro benchmarks: built by the target `benches`, run by hand or by ./dev bench ---
file(GLOB bench_sources CONFIGURE_DEPENDS "tests/bench/bench_*.c")
add_custom_target(benches)
foreach(source ${bench_sources})
  get_filename_component(target "${source}" NAME_WE)
  add_executable(${target} EXCLUDE_FROM_ALL "${source}")
  target_link_libraries(${target} PRIVATE pl_test)
  set_target_properties(${target} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests/bench")
  add_dependencies(benches ${target})
endforeach()

# --- python: the layers, and end to end ---
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  # Tests of the tests' own tools.
  file(GLOB tool_tests CONFIGURE_DEPENDS "tests/lint/*_test.py" "tests/e2e/lib/*_test.py")
  foreach(source ${tool_tests})
    get_filename_component(file "${source}" NAME_WE)
    string(REGEX REPLACE "_test$" "" name "${file}")
    add_test(NAME "tools/${name}" COMMAND Python3::Interpreter "${source}")
    set_tests_properties("tools/${name}" PROPERTIES LABELS unit TIMEOUT 60
      ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1;PL_DEPS_DIR=${PL_DEPS_DIR}")
  endforeach()
  if(EXISTS "${CMAKE_SOURCE_DIR}/tests/lint/layers.py")
    add_test(NAME lint/layers COMMAND Python3::Interpreter
      "${CMAKE_SOURCE_DIR}/tests/lint/layers.py" "${CMAKE_SOURCE_DIR}")
    set_tests_properties(lint/layers PROPERTIES LABELS "lint;unit" TIMEOUT 60)
  endif()
  if(TARGET perilune)
    foreach(level e2e interop)
      file(GLOB scripts CONFIGURE_DEPENDS "tests/${level}/test_*.py")
      foreach(source ${scripts})
        get_filename_component(file "${source}" NAME_WE)
        string(REGEX REPLACE "^test_" "" name "${file}")
        # Comments at the head of a file say how it wants to be run: `# quick` (also in
        # ./dev test --quick), `# faults` (needs a debug build), `# timeout: 900`.
        file(STRINGS "${source}" is_quick REGEX "^# quick" LIMIT_COUNT 1)
        file(STRINGS "${source}" needs_faults REGEX "^# faults" LIMIT_COUNT 1)
        file(STRINGS "${source}" timeout REGEX "^# timeout: [0-9]+" LIMIT_COUNT 1)
        if(needs_faults AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
          continue()
        endif()
        set(labels ${level})
        if(is_quick)
          list(APPEND labels quick)
        endif()
        if(needs_faults)
          list(APPEND labels faults)
        endif()
        string(REGEX REPLACE "^# timeout: ([0-9]+).*" "\\1" seconds "${timeout}")
        if(NOT seconds)
          set(seconds 300)
        endif()
        add_test(NAME "${level}/${name}" COMMAND Python3::Interpreter "${source}" -v)
        set_tests_properties("${level}/${name}" PROPERTIES LABELS "${labels}" TIMEOUT ${seconds}
          ENVIRONMENT
          "PL_BINARY=$<TARGET_FILE:perilune>;PYTHONPATH=${CMAKE_SOURCE_DIR}/tests/e2e/lib;PYTHONDONTWRITEBYTECODE=1")
      endforeach()
    endforeach()
  endif()
endif()

# --- PromQL: our cases in Prometheus' test language ---
if(EXISTS "${CMAKE_SOURCE_DIR}/tests/promql/run.c")
  add_executable(promql_run tests/promql/run.c tests/promql/data.c tests/promql/histogram.c)
  target_link_libraries(promql_run PRIVATE pl_test)
  set_target_properties(promql_run PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests/promql")
  file(GLOB promql_tests CONFIGURE_DEPENDS "tests/promql/*.test")
  foreach(source ${promql_tests})
    get_filename_component(name "${source}" NAME_WE)
    add_test(NAME "promql/${name}" COMMAND promql_run "${source}")
    add_test(NAME "promql/${name}_flushed" COMMAND promql_run -f "${source}")
    set_tests_properties("promql/${name}" "promql/${name}_flushed" PROPERTIES
      LABELS unit TIMEOUT 120)
  endforeach()
endif()

# --- PromQL: random queries here and in the real Prometheus ---
if(Python3_FOUND AND TARGET perilune AND EXISTS "${CMAKE_SOURCE_DIR}/tests/promql/differential.py")
  add_test(NAME interop/differential COMMAND Python3::Interpreter
    "${CMAKE_SOURCE_DIR}/tests/promql/differential.py" -n 300)
  set_tests_properties(interop/differential PROPERTIES LABELS interop TIMEOUT 240
    ENVIRONMENT "PL_BINARY=$<TARGET_FILE:perilune>;PYTHONDONTWRITEBYTECODE=1")
endif()
