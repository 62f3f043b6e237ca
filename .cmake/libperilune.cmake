# libperilune: what other programs link: core/client and the folders it stands on, in one library.
# The version script names what the shared one exports.
file(GLOB client_sources CONFIGURE_DEPENDS "core/client/*.c")
if(client_sources)
  set(inside base model codec kernel store client)
  set(objects "")
  foreach(folder ${inside})
    set_target_properties(pl_${folder} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_compile_options(pl_${folder} PRIVATE -fno-semantic-interposition)
    list(APPEND objects $<TARGET_OBJECTS:pl_${folder}>)
    list(APPEND uses ${PL_USES_${folder}})
  endforeach()
  list(REMOVE_DUPLICATES uses)

  add_library(perilune_static STATIC ${objects})
  add_library(perilune_shared SHARED ${objects})
  foreach(target perilune_static perilune_shared)
    target_link_libraries(${target} PUBLIC Threads::Threads m PRIVATE ${uses})
    target_include_directories(${target} PUBLIC "${CMAKE_SOURCE_DIR}/include")
  endforeach()
  set(map "${CMAKE_SOURCE_DIR}/.cmake/libperilune.map")
  target_link_options(perilune_shared PRIVATE "LINKER:--version-script=${map}")
  set_target_properties(perilune_static perilune_shared PROPERTIES OUTPUT_NAME perilune
    LINKER_LANGUAGE C)
  set_target_properties(perilune_shared PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0
    LINK_DEPENDS "${map}")
  install(TARGETS perilune_static perilune_shared)

  include(GNUInstallDirs)
  # Found from where the file lies, so that --install --prefix needs no new configuring.
  file(RELATIVE_PATH pc_up "/x/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/x")
  configure_file(.cmake/perilune.pc.in perilune.pc @ONLY)
  install(FILES "${CMAKE_BINARY_DIR}/perilune.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

  # The example in C is built with the rest, so that it cannot fall behind.
  if(EXISTS "${CMAKE_SOURCE_DIR}/examples/clients/push.c")
    add_executable(example_push examples/clients/push.c)
    target_link_libraries(example_push PRIVATE perilune_shared)
    set_target_properties(example_push PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/examples")
  endif()
endif()
