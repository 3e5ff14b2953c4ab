# Reads every #include of ours against the arrows of docs/architecture.md, and every third party's header
# against its one door. Run as: cmake -DSOURCE=DIR -P arrows.cmake
set(arrows_common/base common/base)
set(arrows_common/control common/control common/base/check.h common/base/limits.h common/base/error.h)
set(arrows_common/clobber.c clobber/clobber.h common/sized.h common/control common/base)
set(arrows_common/due.c common/due.h common/base)
set(arrows_common/sized.c common/sized.h)
set(arrows_common/tally.c common/tally.h common/base)
set(arrows_common/tuned_pool.c clobber/pool.h common/due.h common/sized.h common/tally.h common/base)
set(arrows_proto proto common/base)
set(arrows_coordinator coordinator proto common/control common/base common/command.h common/version.h)
set(arrows_agent agent proto common/control common/base common/command.h common/version.h)
set(arrows_common/main.c common/command.h common/version.h common/base)

set(door_zmq.h proto/channel.c proto/channel_door.c)
set(door_msgpack.h proto/wire.c)
set(door_yaml.h coordinator/yaml.c)
set(door_nghttp2/nghttp2.h agent/http2.c)
set(door_dlfcn.h agent/plugin.c)
set(door_zlib.h coordinator/report_hlog.c)
set(door_liburing.h agent/engine_uring.c)
foreach(header err pem ssl x509v3)
  set(door_openssl/${header}.h agent/tls.c)
endforeach()
set(door_sqlite3.h coordinator/history_index.c)
set(door_jansson.h coordinator/compare_json.c coordinator/diagnosis_json.c coordinator/history_json.c
    coordinator/json.c coordinator/json.h coordinator/json_lines.c coordinator/page_data.c coordinator/record.c
    coordinator/record_partial.c coordinator/record_read.c coordinator/report_formats.c coordinator/report_json.c
    coordinator/report_junit.c coordinator/report_markdown.c coordinator/report_page.c coordinator/run_events.c
    coordinator/run_facts.c)

set(wrong "")
foreach(room common/base common/control proto coordinator agent)
  file(GLOB files RELATIVE "${SOURCE}" "${SOURCE}/${room}/*.[ch]")
  foreach(file ${files})
    list(APPEND all "${room}|${file}")
  endforeach()
endforeach()
foreach(file clobber.c due.c main.c sized.c tally.c tuned_pool.c)
  list(APPEND all "common/${file}|common/${file}")
endforeach()
list(APPEND all "common|common/command.h")

foreach(entry ${all})
  string(REPLACE "|" ";" entry "${entry}")
  list(GET entry 0 room)
  list(GET entry 1 file)
  file(STRINGS "${SOURCE}/${file}" lines REGEX "^#include")
  foreach(line ${lines})
    if(line MATCHES "^#include \"([^\"]+)\"")
      set(included "${CMAKE_MATCH_1}")
      set(allowed FALSE)
      foreach(prefix ${arrows_${room}})
        string(FIND "${included}" "${prefix}" at)
        if(at EQUAL 0)
          set(allowed TRUE)
        endif()
      endforeach()
      if(NOT allowed)
        list(APPEND wrong "${file} may not include ${included}: no arrow from ${room}")
      endif()
    elseif(line MATCHES "^#include <([^>]+)>" AND DEFINED door_${CMAKE_MATCH_1})
      set(included "${CMAKE_MATCH_1}")
      if(NOT file IN_LIST door_${included})
        list(APPEND wrong "${file} may not include <${included}>: its door is ${door_${included}}")
      endif()
      if(file MATCHES "\\.h$" AND NOT file STREQUAL "coordinator/json.h")
        list(APPEND wrong "${file} is a header and includes <${included}>")
      endif()
    endif()
  endforeach()
endforeach()

# A core meets no clock, no socket, no thread. Families come by their names; proto/ is pure but for its channel.
set(cores
  agent/account.c agent/allow.c agent/backlog.c agent/browser.c agent/capacity.c agent/cookies.c agent/expect.c
  agent/header_line.c agent/http1.c agent/http2_request.c agent/intake.c agent/last_word.c agent/meter.c agent/mix.c
  agent/numbers.c agent/orphan.c agent/pacer.c agent/patience.c agent/recording.c agent/redirect.c agent/resp.c
  agent/share.c agent/sources.c agent/target_knobs.c agent/target_model.c agent/target_request.c agent/template.c
  agent/thinking.c agent/worker_count.c agent/workload.c common/base/harmless.c common/clobber.c common/due.c
  common/sized.c common/tally.c coordinator/admission.c coordinator/aggregate.c coordinator/answer.c
  coordinator/assign.c coordinator/bootstrap.c coordinator/comparison.c coordinator/csv.c coordinator/curve.c
  coordinator/diagnosis.c coordinator/grants.c coordinator/json_lines.c coordinator/ledger.c coordinator/numbering.c
  coordinator/page_numbers.c coordinator/plot.c coordinator/report.c coordinator/roster.c coordinator/run_events.c
  coordinator/run_facts.c coordinator/series.c coordinator/settling.c coordinator/simulate_agents.c
  coordinator/simulate_plant.c coordinator/simulate_run.c coordinator/state.c coordinator/steering.c
  coordinator/summary.c coordinator/table.c coordinator/template.c coordinator/verdict.c coordinator/words.c
  coordinator/yaml.c)
file(GLOB families RELATIVE "${SOURCE}" "${SOURCE}/agent/member*.[ch]" "${SOURCE}/agent/workload_*.c"
     "${SOURCE}/common/control/*.[ch]" "${SOURCE}/coordinator/plan*.[ch]" "${SOURCE}/coordinator/session*.[ch]"
     "${SOURCE}/proto/*.[ch]")
list(FILTER families EXCLUDE REGEX "^proto/channel")
foreach(file ${cores} ${families})
  file(STRINGS "${SOURCE}/${file}" lines
       REGEX "^#include (<(time|pthread|sys/socket|sys/epoll|unistd|threads)\\.h>|\"common/base/(clock|loop|log)\\.h\")")
  foreach(line ${lines})
    list(APPEND wrong "${file} is a core and may not ${line}")
  endforeach()
endforeach()

if(wrong)
  list(JOIN wrong "\n  " text)
  message(FATAL_ERROR "arrows that must not be:\n  ${text}")
endif()
list(LENGTH all count)
message(STATUS "${count} files keep the arrows")
