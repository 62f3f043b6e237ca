# libperilune: what other programs link. Its C files are core/client; base is compiled in, so that
# neither library needs a second one of ours. The version script names what the shared one exports.
file(GLOB client_sources CONFIGURE_DEPENDS "core/client/*.c")
if(client_sources)
  file(GLOB base_sources CONFIGURE_DEPENDS "core/base/*.c")
  add_library(perilune_objects OBJECT ${client_sources} ${base_sources})
  target_link_libraries(perilune_objects PRIVATE pl_flags ${PL_USES_base})
  target_compile_options(perilune_objects PRIVATE -fno-semantic-interposition)
  set_target_properties(perilune_objects PROPERTIES POSITION_INDEPENDENT_CODE ON)

  add_library(perilune_static STATIC $<TARGET_OBJECTS:perilune_objects>)
  target_link_libraries(perilune_static PUBLIC Threads::Threads PRIVATE ${PL_USES_base})
  target_include_directories(perilune_static PUBLIC "${CMAKE_SOURCE_DIR}/include")
  add_library(perilune_shared SHARED $<TARGET_OBJECTS:perilune_objects>)
  target_link_libraries(perilune_shared PUBLIC Threads::Threads PRIVATE ${PL_USES_base})
  target_include_directories(perilune_shared PUBLIC "${CMAKE_SOURCE_DIR}/include")
  set(map "${CMAKE_SOURCE_DIR}/.cmake/libperilune.map")
  target_link_options(perilune_shared PRIVATE "LINKER:--version-script=${map}")
  set_target_properties(perilune_static perilune_shared PROPERTIES OUTPUT_NAME perilune)
  set_target_properties(perilune_shared PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0
    LINK_DEPENDS "${map}")
  list(APPEND PL_LIBS perilune_static)
  install(TARGETS perilune_static perilune_shared)

  include(GNUInstallDirs)
  configure_file(.cmake/perilune.pc.in perilune.pc @ONLY)
  install(FILES "${CMAKE_BINARY_DIR}/perilune.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endif()
