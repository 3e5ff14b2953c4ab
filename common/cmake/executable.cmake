# The one executable: common/main.c joined to the coordinator and the agent by the linker.
add_executable(clobber_cli common/main.c)
set_target_properties(clobber_cli PROPERTIES OUTPUT_NAME clobber RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
target_link_libraries(clobber_cli PRIVATE clobber_coordinator clobber_agent)
if(CLOBBER_HARDEN)
  target_link_options(clobber_cli PRIVATE -pie)
endif()
install(TARGETS clobber_cli RUNTIME DESTINATION bin)
