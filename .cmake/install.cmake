# cmake --install: binary and libraries are installed where they are made; here is what is copied.
include(GNUInstallDirs)
install(DIRECTORY include/perilune DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.h")
install(FILES README.md LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")
if(EXISTS "${CMAKE_SOURCE_DIR}/docs")
  install(DIRECTORY docs/ DESTINATION "${CMAKE_INSTALL_DOCDIR}" FILES_MATCHING PATTERN "*.md")
endif()
# What ships and runs by default; the completions are what the binary prints.
if(EXISTS "${CMAKE_SOURCE_DIR}/scripts")
  install(DIRECTORY scripts/ DESTINATION "${CMAKE_INSTALL_DATADIR}/perilune/scripts")
endif()
if(TARGET perilune)
  foreach(shell bash zsh)
    install(CODE "execute_process(COMMAND \"${CMAKE_BINARY_DIR}/perilune\" completion ${shell}
      OUTPUT_FILE \"${CMAKE_BINARY_DIR}/completion.${shell}\" COMMAND_ERROR_IS_FATAL ANY)")
  endforeach()
  install(FILES "${CMAKE_BINARY_DIR}/completion.bash" RENAME perilune
    DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions")
  install(FILES "${CMAKE_BINARY_DIR}/completion.zsh" RENAME _perilune
    DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions")
endif()
