# Libraries of image formats: headers at build time; the program loads a library when the executor
# first meets its format, by the name that the headers belong to (src/executor/codecs/).
function(onnxcompat_codec name header suffix library)
  find_path(${name}_INCLUDE_DIR ${header} PATH_SUFFIXES ${suffix} REQUIRED)
  find_library(${name}_LIBRARY ${library} REQUIRED)
  execute_process(COMMAND ${CMAKE_OBJDUMP} -p ${${name}_LIBRARY} OUTPUT_VARIABLE headers
                  COMMAND_ERROR_IS_FATAL ANY)
  if(NOT headers MATCHES "SONAME +([^ \n]+)")
    message(FATAL_ERROR "${${name}_LIBRARY} is not a shared library")
  endif()
  target_compile_definitions(onnxcompat_executor PRIVATE ONNXCOMPAT_${name}="${CMAKE_MATCH_1}")
  target_include_directories(onnxcompat_executor SYSTEM PRIVATE ${${name}_INCLUDE_DIR})
endfunction()

onnxcompat_codec(LIBJPEG turbojpeg.h "" turbojpeg)
onnxcompat_codec(LIBOPENJPEG openjpeg.h "openjpeg-2.5;openjpeg-2.4;openjpeg-2.3" openjp2)
onnxcompat_codec(LIBPNG png.h "" png16)
onnxcompat_codec(LIBTIFF tiffio.h "" tiff)
onnxcompat_codec(LIBWEBP webp/decode.h "" webp)
