# cmake --install build/release [--prefix /opt/switchyard]: the program, completions of three shells,
# the SQL that owners may want to read, and the docs. The program needs none of the others.
include_guard()
include(GNUInstallDirs)

install(TARGETS switchyard RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY deploy/sql DESTINATION ${CMAKE_INSTALL_DATADIR}/switchyard)
install(FILES README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})

# sy_install_completion(bash share/bash-completion/completions/switchyard)
function(sy_install_completion SHELL FILE)
  install(CODE "
    set(file \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${FILE}\")
    get_filename_component(folder \"\${file}\" DIRECTORY)
    file(MAKE_DIRECTORY \"\${folder}\")
    execute_process(COMMAND \"$<TARGET_FILE:switchyard>\" completion ${SHELL}
                    OUTPUT_FILE \"\${file}\" COMMAND_ERROR_IS_FATAL ANY)
    message(STATUS \"Installing: \${file}\")")
endfunction()
sy_install_completion(bash ${CMAKE_INSTALL_DATADIR}/bash-completion/completions/switchyard)
sy_install_completion(zsh ${CMAKE_INSTALL_DATADIR}/zsh/site-functions/_switchyard)
sy_install_completion(fish ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d/switchyard.fish)
