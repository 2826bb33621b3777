# The libraries that the programs are built on. Each that is missing is told in one sentence, with Debian's package.

# Boost is found by its own CMake package: CMake's module for it is gone from newer versions.
if(POLICY CMP0167)
  cmake_policy(SET CMP0167 NEW)
endif()

function(bn_missing what package)
  message(FATAL_ERROR "${what} was not found: install Debian's package ${package} "
                      "(experiments/install_packages.sh installs all that is needed), or name its place in CMAKE_PREFIX_PATH.")
endfunction()

# bn_find(PACKAGE DEBIAN_PACKAGE [VERSION]): a CMake package.
macro(bn_find package debian_package)
  find_package(${package} ${ARGN} QUIET)
  if(NOT ${package}_FOUND)
    string(STRIP "${package} ${ARGN}" bn_wanted)
    bn_missing("${bn_wanted}" "${debian_package}")
  endif()
endmacro()

# bn_find_library(TARGET LIBRARY HEADER DEBIAN_PACKAGE [PATH_SUFFIXES...]): an imported target of a library and a header.
function(bn_find_library target library header debian_package)
  find_library(${target}_LIBRARY ${library})
  find_path(${target}_INCLUDE_DIR ${header} PATH_SUFFIXES ${ARGN})
  if(NOT ${target}_LIBRARY OR NOT ${target}_INCLUDE_DIR)
    bn_missing("${library} with its header ${header}" ${debian_package})
  endif()
  add_library(${target} UNKNOWN IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES IMPORTED_LOCATION ${${target}_LIBRARY}
                                             INTERFACE_INCLUDE_DIRECTORIES ${${target}_INCLUDE_DIR})
endfunction()

if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  find_package(OpenMP QUIET)
  if(NOT OpenMP_FOUND)
    string(REGEX MATCH "^[0-9]+" bn_clang ${CMAKE_CXX_COMPILER_VERSION})
    message(FATAL_ERROR "clang ${bn_clang} was found without OpenMP: install Debian's package libomp-${bn_clang}-dev, or "
                        "compile with g++, which needs no more.")
  endif()
else()
  bn_find(OpenMP "g++ (its libgomp)")
endif()
bn_find(Threads libc6-dev)
# Debian's dnnl-config.cmake asks for OpenCL headers that the CPU engine does not need.
bn_find_library(dnnl dnnl dnnl.hpp libdnnl-dev)
# OpenCV's own CMake package demands every module, 600 MB of packages, where three are used.
bn_find_library(opencv_core opencv_core opencv2/core.hpp libopencv-core-dev opencv4)
bn_find_library(opencv_imgproc opencv_imgproc opencv2/imgproc.hpp libopencv-imgproc-dev opencv4)
if(BN_IMGCODECS)
  bn_find_library(opencv_imgcodecs opencv_imgcodecs opencv2/imgcodecs.hpp libopencv-imgcodecs-dev opencv4)
endif()
bn_find_library(xxhash xxhash xxhash.h libxxhash-dev)
bn_find(JPEG libjpeg-dev)
bn_find(ZLIB zlib1g-dev)
bn_find(yaml-cpp libyaml-cpp-dev)
bn_find(CLI11 libcli11-dev)
bn_find(fmt libfmt-dev)
bn_find(nlohmann_json nlohmann-json3-dev)
bn_find(Boost libboost-dev 1.74) # headers only: Math, CRC and MD5
bn_find(Protobuf "libprotobuf-dev and protobuf-compiler" 3.12)
if(NOT Protobuf_PROTOC_EXECUTABLE)
  bn_missing("protobuf's compiler protoc" protobuf-compiler)
endif()

if(BN_BUILD_TESTS)
  bn_find(GTest libgtest-dev)
endif()

# Where it is missing, a launcher's processes are told so when they start.
set(BN_HAS_MPI 0)
if(BN_MPI)
  find_package(MPI 3.1 QUIET COMPONENTS C)
  if(MPI_C_FOUND)
    set(BN_HAS_MPI 1)
    message(STATUS "MPI ${MPI_C_VERSION}: several processes can train together")
  else()
    message(STATUS "MPI was not found: one process trains alone (Debian's package libopenmpi-dev changes that)")
  endif()
endif()

# oneDNN must share a pool of threads with our own kernels, as tests/cpu/backend_test.cpp proves. With GCC it is libgomp's.
# Clang's code needs libomp, which has libgomp's functions under their names and versions as well: the loader looks in the
# libraries of the program before those that oneDNN is linked with, so oneDNN calls libomp, too. Its libgomp lies idle, but
# for what src/cpu/backend.cpp undoes.
file(READ ${dnnl_INCLUDE_DIR}/oneapi/dnnl/dnnl_config.h dnnl_config)
file(READ ${dnnl_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h dnnl_version)
string(REGEX REPLACE ".*DNNL_VERSION_MAJOR ([0-9]+).*DNNL_VERSION_MINOR ([0-9]+).*" "\\1.\\2" dnnl_version "${dnnl_version}")
if(dnnl_version VERSION_LESS 2.6 OR dnnl_version VERSION_GREATER_EQUAL 4)
  message(FATAL_ERROR "oneDNN ${dnnl_version} in ${dnnl_INCLUDE_DIR} does not fit: 2.6 to 3.x is needed, as Debian 12 and later "
                      "have in libdnnl-dev.")
endif()
if(NOT dnnl_config MATCHES "define DNNL_CPU_THREADING_RUNTIME DNNL_RUNTIME_OMP")
  message(FATAL_ERROR "oneDNN ${dnnl_version} in ${dnnl_INCLUDE_DIR} was built without OpenMP: install one that was built "
                      "with it (Debian's libdnnl-dev, or onednn-devel-cpu-gomp from PyPI).")
endif()
message(STATUS "oneDNN ${dnnl_version}: ${dnnl_LIBRARY}")
