# cmake --install: binary and libraries are installed where they are made; here is what is copied.
include(GNUInstallDirs)
install(DIRECTORY include/perilune DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.h")
install(FILES README.md LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")
if(EXISTS "${CMAKE_SOURCE_DIR}/docs")
  install(DIRECTORY docs/ DESTINATION "${CMAKE_INSTALL_DOCDIR}" FILES_MATCHING PATTERN "*.md")
endif()
# What ships and runs by default, and the completions, which the binary's folder keeps.
if(EXISTS "${CMAKE_SOURCE_DIR}/scripts")
  install(DIRECTORY scripts/ DESTINATION "${CMAKE_INSTALL_DATADIR}/perilune/scripts")
endif()
if(EXISTS "${CMAKE_SOURCE_DIR}/core/app/completion/perilune.bash")
  install(FILES core/app/completion/perilune.bash RENAME perilune
    DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions")
endif()
if(EXISTS "${CMAKE_SOURCE_DIR}/core/app/completion/_perilune")
  install(FILES core/app/completion/_perilune
    DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions")
endif()
