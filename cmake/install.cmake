# SPDX-License-Identifier: MIT
# Installation: headers, both libraries, the start object, pkg-config, the CMake package, the
# command, the script for gdb, and the man pages if they were built (into
# <build>/man).
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/hocket)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
install(TARGETS hocket hocket_shared EXPORT hocketTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${hkt_start} DESTINATION ${CMAKE_INSTALL_LIBDIR}/hocket)
install(EXPORT hocketTargets NAMESPACE hocket:: DESTINATION ${package_dir})
if(TARGET hocket_cli)
    install(TARGETS hocket_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES ${PROJECT_SOURCE_DIR}/tools/hocket-gdb.py
        DESTINATION ${CMAKE_INSTALL_DATADIR}/hocket)
install(DIRECTORY ${PROJECT_BINARY_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR} OPTIONAL)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/hocketConfig.cmake.in
    ${PROJECT_BINARY_DIR}/hocketConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/hocketConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/hocketConfig.cmake
              ${PROJECT_BINARY_DIR}/hocketConfigVersion.cmake DESTINATION ${package_dir})

# From where the .pc file lies to the prefix: "../.." for lib/pkgconfig.
file(RELATIVE_PATH hkt_pc_to_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(${PROJECT_SOURCE_DIR}/cmake/hocket.pc.in ${PROJECT_BINARY_DIR}/hocket.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/hocket.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
