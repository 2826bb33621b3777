// OpenCV starts GDAL at its first use; GDAL takes two of its locks in either order while one thread initialises it.
// oneDNN is not built for tsan, which sees its locks but not how its first user initialises them.
// NOLINTBEGIN(bugprone-reserved-identifier, readability-identifier-naming): tsan's name
extern "C" const char* __tsan_default_suppressions();

extern "C" const char* __tsan_default_suppressions() { return "deadlock:libgdal.so\ncalled_from_lib:libdnnl\n"; }
// NOLINTEND(bugprone-reserved-identifier, readability-identifier-naming)
