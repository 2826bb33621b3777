# What `cmake --install` puts under a prefix, and what `cpack` packs:
#   bin/bninception, bin/bn-data                 the programs; share/man/man1 their manual pages, where help2man is found
#   lib/bninception/bn_cuda.so                   the CUDA backend, where it was built
#   lib/libbninception.a, include/bn             the library, for find_package(bninception) and for pkg-config
#   share/bninception/{configs,plots,imagenet}   experiments, the figures' style, ImageNet's classes and validation labels

# All that the program bninception is made of but its commands, in one library.
add_library(bninception_library STATIC)
foreach(part core plan models cpu cpu_generic cpu_avx2 cpu_avx512 cpu_avx512_bf16 cuda_loader data evaluate train config
        sweep report)
  target_sources(bninception_library PRIVATE $<TARGET_OBJECTS:bn_${part}>)
endforeach()
set(bn_link_names opencv_core opencv_imgproc $<$<BOOL:${BN_IMGCODECS}>:opencv_imgcodecs> dnnl jpeg z xxhash yaml-cpp fmt
                  gomp dl pthread)
target_link_libraries(bninception_library INTERFACE ${bn_link_names})
target_compile_features(bninception_library INTERFACE cxx_std_20)
target_include_directories(bninception_library INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set_target_properties(bninception_library PROPERTIES OUTPUT_NAME bninception EXPORT_NAME bninception LINKER_LANGUAGE CXX)

set(bn_share ${CMAKE_INSTALL_DATADIR}/bninception)
set(bn_cmake ${CMAKE_INSTALL_LIBDIR}/cmake/bninception)
install(TARGETS bninception bn-data RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS bninception_library EXPORT bninception ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(BN_HAS_CUDA)
  install(TARGETS bn_cuda_module LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/bninception)
endif()
install(DIRECTORY include/bn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY configs DESTINATION ${bn_share})
install(DIRECTORY experiments/plots DESTINATION ${bn_share})
install(FILES src/data/imagenet/classes.txt src/data/imagenet/validation_labels.txt DESTINATION ${bn_share}/imagenet)
install(FILES README.md CITATION.cff DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)

include(CMakePackageConfigHelpers)
install(EXPORT bninception NAMESPACE bninception:: DESTINATION ${bn_cmake} FILE bninception-targets.cmake)
configure_package_config_file(src/packaging/bninception-config.cmake.in ${CMAKE_BINARY_DIR}/bninception-config.cmake
                              INSTALL_DESTINATION ${bn_cmake} PATH_VARS bn_share)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/bninception-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/bninception-config.cmake ${CMAKE_BINARY_DIR}/bninception-config-version.cmake
        DESTINATION ${bn_cmake})

file(RELATIVE_PATH bn_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" bn_prefix ${bn_prefix})
list(TRANSFORM bn_link_names PREPEND -l)
list(JOIN bn_link_names " " bn_link_names)
string(REPLACE "-l$<$<BOOL:${BN_IMGCODECS}>:opencv_imgcodecs>" "$<$<BOOL:${BN_IMGCODECS}>:-lopencv_imgcodecs>"
       bn_link_names "${bn_link_names}")
configure_file(src/packaging/bninception.pc.in bninception.pc.in @ONLY)
file(GENERATE OUTPUT bninception.pc INPUT ${CMAKE_CURRENT_BINARY_DIR}/bninception.pc.in)
install(FILES ${CMAKE_BINARY_DIR}/bninception.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The manual pages are what --help says.
find_program(HELP2MAN help2man)
if(HELP2MAN)
  foreach(program bninception bn-data)
    set(page ${CMAKE_BINARY_DIR}/${program}.1)
    add_custom_command(OUTPUT ${page} DEPENDS ${program} VERBATIM
                       COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C.UTF-8 ${HELP2MAN} --no-info --section=1
                               --output=${page} $<TARGET_FILE:${program}>)
    list(APPEND bn_manual_pages ${page})
  endforeach()
  add_custom_target(manual_pages ALL DEPENDS ${bn_manual_pages})
  install(FILES ${bn_manual_pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()

set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PACKAGE_CONTACT "The bninception maintainers <https://arxiv.org/abs/1502.03167>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)       # the libraries that the programs are linked with, by dpkg-shlibdeps
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS gnuplot-nox) # draws the figures of `bninception report`
set(CPACK_DEBIAN_PACKAGE_SUGGESTS                # to build programs with the library
    "libdnnl-dev, libopencv-core-dev, libopencv-imgproc-dev, libopencv-imgcodecs-dev, libjpeg-dev, zlib1g-dev, libxxhash-dev, libyaml-cpp-dev, libfmt-dev")
include(CPack)
