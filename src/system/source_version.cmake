# cmake -DSOURCE=... -DVERSION=... -DOUTPUT=... -P source_version.cmake: writes OUTPUT, only when it would change.
# Run at each build, so that a commit made after configuring is named; only this one file is then compiled again.
cmake_minimum_required(VERSION 3.25)
set(SOURCE_VERSION "unknown")
find_program(GIT git)
if(GIT)
  # A copy of the sources inside somebody else's checkout must not take that one's hash.
  execute_process(COMMAND ${GIT} rev-parse --show-prefix WORKING_DIRECTORY ${SOURCE}
                  OUTPUT_VARIABLE prefix RESULT_VARIABLE outside ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT outside AND prefix STREQUAL "")
    set(ENV{GIT_OPTIONAL_LOCKS} 0)
    execute_process(COMMAND ${GIT} describe --always --dirty --abbrev=12 WORKING_DIRECTORY ${SOURCE}
                    OUTPUT_VARIABLE described RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(NOT failed AND described MATCHES "^[A-Za-z0-9._/+-]+$")
      set(SOURCE_VERSION ${described})
    endif()
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [[
#include "bn/version.hpp"

namespace bn {

std::string program_version() { return "@VERSION@"; }
std::string source_version() { return "@SOURCE_VERSION@"; }

}  // namespace bn
]])
