# Between the folders there are walls. A target sees its own folder and, of the libraries that it links, the public
# headers (HEADERS, in include/bn) and what they lend to the project's other libraries (LENDS, in their own folder). The compiler
# finds them through folders of links under the build folder.
set(bn_walls ${PROJECT_BINARY_DIR}/walls)
file(REMOVE_RECURSE ${bn_walls})

function(bn_walls_of name folder headers lends)
  file(MAKE_DIRECTORY ${bn_walls}/${name}/public/bn ${bn_walls}/${name}/public/${name} ${bn_walls}/${name}/private)
  foreach(header ${headers})
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/include/bn/${header}.hpp ${bn_walls}/${name}/public/bn/${header}.hpp SYMBOLIC)
  endforeach()
  foreach(header ${lends})
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${folder}/${header}.hpp ${bn_walls}/${name}/public/${name}/${header}.hpp SYMBOLIC)
  endforeach()
  if(EXISTS ${PROJECT_SOURCE_DIR}/${folder})
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${folder} ${bn_walls}/${name}/private/${name} SYMBOLIC)
  endif()
endfunction()

# Lets a target see a whole room: the room's own library, its tests, and what measures its inside.
function(bn_enter target)
  foreach(room ${ARGN})
    target_include_directories(${target} PRIVATE ${bn_walls}/${room}/private)
  endforeach()
endfunction()
