# Compiles data/*.json into constant tables: no file is parsed when the program starts.
# It shares the reader of data/versions.json with the program, which takes such files at run time.
add_library(onnxcompat_versions_file OBJECT
            src/versiontable/attribute_type.cpp src/versiontable/release.cpp
            src/versiontable/release_series.cpp src/versiontable/version_number.cpp
            src/versiontable/versions_file.cpp)
target_link_libraries(onnxcompat_versions_file PRIVATE onnxcompat_options onnxcompat_support
                                                       nlohmann_json::nlohmann_json)
add_executable(factgen tools/factgen/main.cpp tools/factgen/operators.cpp
                       tools/factgen/releases.cpp tools/factgen/value_facts.cpp
                       tools/factgen/kernels.cpp tools/factgen/contributed.cpp
                       tools/factgen/exporters.cpp $<TARGET_OBJECTS:onnxcompat_versions_file>)
target_include_directories(factgen PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
target_link_libraries(factgen PRIVATE onnxcompat_options onnxcompat_support
                                      nlohmann_json::nlohmann_json)
target_link_libraries(onnxcompat_versiontable PRIVATE nlohmann_json::nlohmann_json)

function(onnxcompat_facts kind data)
  set(input ${CMAKE_CURRENT_SOURCE_DIR}/data/${data})
  set(output ${CMAKE_CURRENT_BINARY_DIR}/generated/facts/${kind}.cpp)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/generated/facts
    COMMAND factgen ${kind} ${input} ${output}
    DEPENDS factgen ${input}
    COMMENT "Compiling data/${data} into tables"
    VERBATIM)
  target_sources(onnxcompat_versiontable PRIVATE ${output})
endfunction()

onnxcompat_facts(operators operators.json)
onnxcompat_facts(value_facts attribute_values.json)
onnxcompat_facts(releases versions.json)
onnxcompat_facts(kernels kernels.json)
onnxcompat_facts(contributed com_microsoft.json)
onnxcompat_facts(exporters exporters.json)
