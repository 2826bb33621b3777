# Sets BN_HAS_CUDA: whether the CUDA backend is built, which it is where nvcc, cuBLAS, cuDNN and cudnn-frontend are found.
set(BN_HAS_CUDA 0)
if(NOT BN_CUDA)
  message(STATUS "BN_CUDA is off: this build runs on the CPU only")
  return()
endif()

include(CheckLanguage)
check_language(CUDA)
if(CMAKE_CUDA_COMPILER)
  set(CMAKE_CUDA_ARCHITECTURES ${BN_CUDA_ARCHITECTURES})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
  enable_language(CUDA)
  # CMake 3.25 does not know that nvcc 13 has C++20.
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  find_package(CUDAToolkit 12.4 QUIET)
  find_path(CUDNN_INCLUDE_DIR cudnn_version.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
  find_library(CUDNN_LIBRARY cudnn HINTS ${CUDAToolkit_LIBRARY_DIR})
  foreach(part MAJOR MINOR)
    if(CUDNN_INCLUDE_DIR)
      file(STRINGS ${CUDNN_INCLUDE_DIR}/cudnn_version.h cudnn_${part} REGEX "^#define CUDNN_${part} ")
      string(REGEX REPLACE "[^0-9]+" "" cudnn_${part} "${cudnn_${part}}")
    endif()
  endforeach()
  # Where experiments/install_packages.sh puts NVIDIA's header-only cudnn-frontend.
  find_path(CUDNN_FRONTEND_INCLUDE_DIR cudnn_frontend.h HINTS ${PROJECT_SOURCE_DIR}/.cache/cudnn_frontend/include)
endif()
if(NOT CMAKE_CUDA_COMPILER)
  message(STATUS "No CUDA compiler found: this build runs on the CPU only (install nvcc, or let CUDACXX name it)")
elseif(NOT CUDAToolkit_FOUND)
  message(STATUS "CUDA ${CMAKE_CUDA_COMPILER_VERSION} found, but it must be 12.4 or newer: this build runs on the CPU only "
                 "(let CUDACXX name the nvcc of a newer one)")
elseif(NOT TARGET CUDA::cublasLt OR NOT TARGET CUDA::nvrtc)
  message(STATUS "CUDA ${CUDAToolkit_VERSION} found but no cuBLAS or no NVRTC: this build runs on the CPU only (install the "
                 "development packages of both for this CUDA)")
elseif(NOT CUDNN_INCLUDE_DIR OR NOT CUDNN_LIBRARY)
  message(STATUS "CUDA ${CUDAToolkit_VERSION} found but no cuDNN: this build runs on the CPU only (install cuDNN 9.8 or a later 9 "
                 "with its headers; CUDNN_INCLUDE_DIR and CUDNN_LIBRARY name another place)")
elseif(NOT cudnn_MAJOR EQUAL 9 OR cudnn_MINOR LESS 8)
  message(STATUS "cuDNN ${cudnn_MAJOR}.${cudnn_MINOR} found, but it must be 9.8 or a later 9: this build runs on the CPU "
                 "only (CUDNN_INCLUDE_DIR and CUDNN_LIBRARY name another one)")
elseif(NOT CUDNN_FRONTEND_INCLUDE_DIR)
  message(STATUS "CUDA ${CUDAToolkit_VERSION} and cuDNN found but no cudnn_frontend.h: this build runs on the CPU only "
                 "(experiments/install_packages.sh gets it; CUDNN_FRONTEND_INCLUDE_DIR names another place)")
else()
  set(BN_HAS_CUDA 1)
  message(STATUS "CUDA ${CUDAToolkit_VERSION} and cuDNN found: device cuda is built for ${BN_CUDA_ARCHITECTURES}")
endif()
