# `cmake --install` puts these files under a prefix, and `cpack` packs them:
#   bin/bninception, bin/bn-data                 the programs; share/man/man1 their manual pages, where help2man is found
#   lib/bninception/bn_cuda.so                   the CUDA backend, where it was built
#   lib/bninception/libbninception_mpi.so        several processes over MPI, likewise
#   lib/libbninception.a, include/bn             the library, for find_package(bninception) and for pkg-config
#   share/bninception/{configs,plots,imagenet}   experiments, the figures' style, ImageNet's classes and validation labels

# All that the program bninception is made of but its commands, in one library.
add_library(bninception_library STATIC)
foreach(part system core group plan models ops cpu cpu_generic cpu_avx2 cpu_avx512 cpu_avx512_bf16 cuda_loader data evaluate run
        config train sweep report exchange exchange_formats)
  target_sources(bninception_library PRIVATE $<TARGET_OBJECTS:bn_${part}>)
endforeach()
# oneDNN by its place, where that is none that a linker looks in.
get_filename_component(bn_dnnl_folder ${dnnl_LIBRARY} DIRECTORY)
set(bn_dnnl -ldnnl)
if(NOT bn_dnnl_folder IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES)
  set(bn_dnnl ${dnnl_LIBRARY})
endif()
set(bn_link_names -lopencv_core -lopencv_imgproc)
if(BN_IMGCODECS)
  list(APPEND bn_link_names -lopencv_imgcodecs)
endif()
set(bn_openmp -lgomp)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang") # each version of clang has a libomp of its own
  set(bn_openmp ${OpenMP_CXX_LIBRARIES})
endif()
list(APPEND bn_link_names ${bn_dnnl} -ljpeg -lz -lxxhash -lyaml-cpp -lfmt -lprotobuf-lite ${bn_openmp} -ldl -lpthread)
target_link_libraries(bninception_library INTERFACE ${bn_link_names})
target_compile_features(bninception_library INTERFACE cxx_std_20)
target_include_directories(bninception_library INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                                         $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
add_library(bninception::bninception ALIAS bninception_library)
set_target_properties(bninception_library PROPERTIES OUTPUT_NAME bninception EXPORT_NAME bninception LINKER_LANGUAGE CXX)

set(bn_share ${CMAKE_INSTALL_DATADIR}/bninception)
set(bn_cmake ${CMAKE_INSTALL_LIBDIR}/cmake/bninception)
install(TARGETS bninception bn-data RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS bninception_library EXPORT bninception ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(BN_HAS_CUDA)
  install(TARGETS bn_cuda_module LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/bninception)
endif()
if(BN_HAS_MPI)
  install(TARGETS bn_mpi_module LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/bninception)
endif()
install(DIRECTORY include/bn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY configs DESTINATION ${bn_share})
install(DIRECTORY experiments/plots DESTINATION ${bn_share})
install(FILES data_tools/packing/imagenet/classes.txt data_tools/packing/imagenet/validation_labels.txt DESTINATION ${bn_share}/imagenet)
install(FILES README.md CITATION.cff DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)

include(CMakePackageConfigHelpers)
install(EXPORT bninception NAMESPACE bninception:: DESTINATION ${bn_cmake} FILE bninception-targets.cmake)
configure_package_config_file(src/packaging/bninception-config.cmake.in ${PROJECT_BINARY_DIR}/bninception-config.cmake
                              INSTALL_DESTINATION ${bn_cmake} PATH_VARS bn_share)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/bninception-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/bninception-config.cmake ${PROJECT_BINARY_DIR}/bninception-config-version.cmake
        DESTINATION ${bn_cmake})

file(RELATIVE_PATH bn_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" bn_prefix ${bn_prefix})
foreach(folder LIBDIR INCLUDEDIR DATADIR)
  set(bn_${folder} "\${prefix}/${CMAKE_INSTALL_${folder}}")
  if(IS_ABSOLUTE ${CMAKE_INSTALL_${folder}})
    set(bn_${folder} ${CMAKE_INSTALL_${folder}})
  endif()
endforeach()
list(JOIN bn_link_names " " bn_link_names)
configure_file(src/packaging/bninception.pc.in ${PROJECT_BINARY_DIR}/bninception.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/bninception.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The manual pages are what --help says.
find_program(HELP2MAN help2man)
if(HELP2MAN)
  set(purpose_of_bninception "trains the networks of Batch Normalization (Ioffe and Szegedy, 2015)")
  set(purpose_of_bn-data "packs, checks and measures data sets for bninception")
  foreach(program bninception bn-data)
    set(page ${PROJECT_BINARY_DIR}/${program}.1)
    add_custom_command(OUTPUT ${page} DEPENDS ${program} VERBATIM
                       COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C.UTF-8 ${HELP2MAN} --no-info --section=1
                               --name=${purpose_of_${program}} --output=${page} $<TARGET_FILE:${program}>)
    list(APPEND bn_manual_pages ${page})
  endforeach()
  add_custom_target(manual_pages ALL DEPENDS ${bn_manual_pages})
  install(FILES ${bn_manual_pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()

if(NOT PROJECT_IS_TOP_LEVEL)
  return()
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
    "libdnnl-dev, libopencv-core-dev, libopencv-imgproc-dev, libopencv-imgcodecs-dev, libjpeg-dev, zlib1g-dev, libxxhash-dev, libyaml-cpp-dev, libfmt-dev, libprotobuf-dev")
include(CPack)
