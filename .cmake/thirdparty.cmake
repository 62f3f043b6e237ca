# Debian 12's packages; `./dev deps` installs them.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)

pkg_check_modules(LUAJIT REQUIRED IMPORTED_TARGET luajit)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(LMDB REQUIRED IMPORTED_TARGET lmdb)
pkg_check_modules(MSGPACK REQUIRED IMPORTED_TARGET msgpack)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(SNAPPY REQUIRED IMPORTED_TARGET snappy)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(EDIT REQUIRED IMPORTED_TARGET libedit)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)

# Only the header is used (XXH_INLINE_ALL): nothing to link.
set_property(TARGET PkgConfig::XXHASH PROPERTY INTERFACE_LINK_LIBRARIES "")

# Debian's CRoaring has no pkg-config file.
find_path(PL_ROARING_INCLUDE roaring/roaring.h REQUIRED)
find_library(PL_ROARING_LIBRARY roaring REQUIRED)
add_library(pl_roaring INTERFACE)
target_include_directories(pl_roaring SYSTEM INTERFACE "${PL_ROARING_INCLUDE}")
target_link_libraries(pl_roaring INTERFACE "${PL_ROARING_LIBRARY}")

# llhttp comes as C sources inside node-llhttp, whose package would drag in Node: unpacked, not
# installed.
macro(pl_find_llhttp)
  find_path(PL_LLHTTP_INCLUDE llhttp.h PATHS "${PL_DEPS_DIR}/usr/share/include/llhttp"
    "${PL_DEPS_DIR}/llhttp" "${CMAKE_SOURCE_DIR}/build/llhttp" PATH_SUFFIXES share/include/llhttp)
  find_path(PL_LLHTTP_SOURCE llhttp.c PATHS "${PL_DEPS_DIR}/usr/share/llhttp"
    "${PL_DEPS_DIR}/llhttp" "${CMAKE_SOURCE_DIR}/build/llhttp" /usr/share/llhttp
    PATH_SUFFIXES share/llhttp)
endmacro()
pl_find_llhttp()
if(NOT PL_LLHTTP_INCLUDE OR NOT PL_LLHTTP_SOURCE)
  message(STATUS "llhttp is not there: fetching Debian's node-llhttp into ${PL_DEPS_DIR}")
  execute_process(COMMAND "${CMAKE_SOURCE_DIR}/dev" deps llhttp "${PL_DEPS_DIR}"
    RESULT_VARIABLE failed)
  pl_find_llhttp()
  if(failed OR NOT PL_LLHTTP_INCLUDE OR NOT PL_LLHTTP_SOURCE)
    message(FATAL_ERROR "llhttp is missing. Run './dev deps' where apt-get works, or unpack "
      "Debian's node-llhttp with 'dpkg -x' into ${PL_DEPS_DIR}.")
  endif()
endif()
add_library(pl_llhttp STATIC "${PL_LLHTTP_SOURCE}/llhttp.c" "${PL_LLHTTP_SOURCE}/api.c"
  "${PL_LLHTTP_SOURCE}/http.c")
target_include_directories(pl_llhttp SYSTEM PUBLIC "${PL_LLHTTP_INCLUDE}")
target_compile_options(pl_llhttp PRIVATE -w)
