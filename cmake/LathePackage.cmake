# What `find_package(Lathe)` finds: the exported layers, the config that finds their dependencies, and the version.
include(CMakePackageConfigHelpers)
set(lathe_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Lathe)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/LatheConfig.cmake.in ${PROJECT_BINARY_DIR}/LatheConfig.cmake
  INSTALL_DESTINATION ${lathe_package_dir})
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/LatheConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/LatheConfig.cmake ${PROJECT_BINARY_DIR}/LatheConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/LatheTorch.cmake DESTINATION ${lathe_package_dir})
install(EXPORT LatheTargets NAMESPACE lathe:: DESTINATION ${lathe_package_dir})
