/* Every way of getting a plan wrong, and the very words that come back. */
#include "coordinator/plan.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "tests/support/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define HEAD        "version: 1\ntarget: http://127.0.0.1:8080\n"
#define HOLD        HEAD "goal: {hold: 5000/s}\nduration: 60s\n"
#define TARGET(url) "version: 1\ntarget: " url "\ngoal: {hold: 1/s}\nduration: 60s\n"
#define TCP         "version: 1\ntarget: tcp://127.0.0.1:1\ngoal: {hold: 5000/s}\nduration: 60s\n"
#define N16         "nnnnnnnnnnnnnnnn"
#define N64         N16 N16 N16 N16
#define FOUR        "{get: /},{get: /},{get: /},{get: /},"
#define EIGHT       FOUR FOUR

static struct plan_errors errors;

/* All errors, a line each. */
static const char *errors_text(void)
{
    static char text[PLAN_ERRORS_MAX * (ERROR_MESSAGE_BYTES + 64)];
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < errors.count; i++) {
        char line[ERROR_MESSAGE_BYTES + 64];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s\n",
                                 error_text(&errors.items[i], line, sizeof line));
    }
    return text;
}

/* What lies behind the text may not be touched. */
static struct plan *read_bytes(const char *text, size_t text_bytes)
{
    struct guard guard = guard_open(text_bytes);
    errors = (struct plan_errors){0};
    struct plan *plan = plan_read("p.yaml", (const char *)guard_copy(&guard, text, text_bytes),
                                  text_bytes, &errors);
    guard_close(&guard);
    return plan;
}

struct bad_plan {
    const char *name, *text, *errors;
};

/* clang-format off */
static const struct bad_plan bad_plans[] = {
    {"an_empty_map_lacks_all_that_is_required",
     "{}",
     "p.yaml:1:1: version is missing; give 1\n"
     "p.yaml:1:1: target is missing; give http[s]://HOST[:PORT][/PATH], tcp://HOST:PORT, tls://HOST:PORT or redis[s]://HOST[:PORT]\n"
     "p.yaml:1:1: goal is missing; give a map of hold, concurrency, maximize, while, precision, tolerance, arrivals and spacing\n"},
    {"a_list_is_no_plan",
     "- a\n",
     "p.yaml:1:1: the plan is no map; give lines such as target: http://127.0.0.1:8080\n"},
    {"version_is_1",
     "version: 2\n"
     "target: http://127.0.0.1:8080\n"
     "goal: {hold: 5000/s}\n"
     "duration: 60s\n",
     "p.yaml:1:10: version is '2'; give 1\n"},
    {"version_is_no_text",
     "version: '1'\n"
     "target: http://127.0.0.1:8080\n"
     "goal: {hold: 5000/s}\n"
     "duration: 60s\n",
     "p.yaml:1:10: version is the text '1'; give 1\n"},
    {"a_missing_target_is_named",
     "version: 1\n"
     "goal: {hold: 1/s}\n"
     "duration: 60s\n",
     "p.yaml:1:1: target is missing; give http[s]://HOST[:PORT][/PATH], tcp://HOST:PORT, tls://HOST:PORT or redis[s]://HOST[:PORT]\n"},
    {"a_missing_goal_is_named",
     HEAD "duration: 60s\n",
     "p.yaml:1:1: goal is missing; give a map of hold, concurrency, maximize, while, precision, tolerance, arrivals and spacing\n"},
    {"a_missing_duration_is_named",
     HEAD "goal: {hold: 1/s}\n",
     "p.yaml:1:1: duration is missing; give a duration with its unit, from 1s to 744h, such as 250ms or 1h30m\n"},
    {"missing_stages_are_named",
     HEAD "goal: {hold: stages}\n",
     "p.yaml:1:1: stages is missing; give a list of 1 to 64 maps\n"},
    {"an_unknown_key_gets_the_nearest_sibling",
     HOLD "duratoin: 5s\n",
     "p.yaml:5:1: unknown key 'duratoin'; did you mean 'duration'?\n"},
    {"an_unknown_key_gets_its_true_home",
     HOLD "timeout: 5s\n",
     "p.yaml:5:1: unknown key 'timeout'; did you mean 'http.timeout'?\n"},
    {"an_unknown_key_gets_the_list_of_keys",
     HOLD "agents: {zzzzzz: 1}\n",
     "p.yaml:5:10: unknown key 'zzzzzz'; the keys here are expect, min, wait and on_loss\n"},
    {"a_key_of_k6_is_just_unknown",
     HOLD "scenarios: {}\n",
     "p.yaml:5:1: unknown key 'scenarios'; the keys here are version, name, target, goal, stages, requests_total, duration, warmup, seed, limits, agents, http, redis, plugin, vars, data, requests and thresholds\n"},
    {"a_repeated_key_is_refused",
     HOLD "seed: 1\n"
     "seed: 2\n",
     "p.yaml:6:1: the key 'seed' again; it is on line 5 already, and may come once\n"},
    {"an_empty_name_is_refused",
     HOLD "name:\n",
     "p.yaml:5:6: name is empty; give text of 1 to 255 bytes without control characters\n"},
    {"null_is_no_name",
     HOLD "name: ~\n",
     "p.yaml:5:7: name is empty; give text of 1 to 255 bytes without control characters\n"},
    {"a_name_has_no_control_characters",
     HOLD "name: \"a\\e[2Jb\"\n",
     "p.yaml:5:7: name is the text 'a\\x1B[2Jb'; give text of 1 to 255 bytes without control characters\n"},
    {"a_name_is_at_most_255_bytes",
     HOLD "name: " N64 N64 N64 N64 "\n",
     "p.yaml:5:7: name is 'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...'; give text of 1 to 255 bytes without control characters\n"},
    {"a_list_is_no_name",
     HOLD "name: [a]\n",
     "p.yaml:5:7: name is a list; give text of 1 to 255 bytes without control characters\n"},
    {"a_scalar_is_no_goal",
     HEAD "goal: hold\n"
     "duration: 60s\n",
     "p.yaml:3:7: goal is 'hold'; give a map of hold, concurrency, maximize, while, precision, tolerance, arrivals and spacing\n"},
    {"an_empty_goal_is_none",
     HEAD "goal: {}\n"
     "duration: 60s\n",
     "p.yaml:3:7: goal has none of hold, concurrency and maximize; give exactly one of them\n"},
    {"two_goals_are_too_many",
     HEAD "goal: {hold: 1/s, concurrency: 5}\n"
     "duration: 60s\n",
     "p.yaml:3:19: goal.concurrency is a second goal; give exactly one\n"},
    {"a_hold_and_a_maximize_are_two_goals",
     HEAD "goal: {maximize: throughput, hold: 1/s}\n"
     "duration: 60s\n",
     "p.yaml:3:30: goal.hold is a second goal; give exactly one\n"},
    {"throughput_is_all_there_is_to_maximize",
     HEAD "goal: {maximize: latency}\n"
     "duration: 60s\n",
     "p.yaml:3:18: goal.maximize is 'latency'; give the word throughput\n"},
    {"a_maximize_has_no_stages",
     HEAD "goal: {maximize: throughput}\n"
     "duration: 60s\n"
     "stages: [{duration: 1s, to: 1/s}]\n",
     "p.yaml:5:1: stages goes with goal: {hold: stages} or goal: {concurrency: stages}; leave it out here\n"},
    {"a_maximize_has_neither_tolerance_nor_arrivals",
     HEAD "goal: {maximize: throughput, tolerance: 1%, arrivals: open}\n"
     "duration: 60s\n",
     "p.yaml:3:30: goal.tolerance goes with goal.hold; leave it out here\n"
     "p.yaml:3:45: goal.arrivals goes with goal.hold; leave it out here\n"},
    {"a_hold_has_neither_bounds_nor_a_precision",
     HEAD "goal: {hold: 1/s, while: [errors.rate < 1%], precision: 2%}\n"
     "duration: 60s\n",
     "p.yaml:3:19: goal.while goes with goal.maximize; leave it out here\n"
     "p.yaml:3:46: goal.precision goes with goal.maximize; leave it out here\n"},
    {"bounds_alone_are_no_goal",
     HEAD "goal: {while: [errors.rate < 1%]}\n"
     "duration: 60s\n",
     "p.yaml:3:7: goal has none of hold, concurrency and maximize; give exactly one of them\n"},
    {"a_precision_has_its_range",
     HEAD "goal: {maximize: throughput, precision: 0.01%}\n"
     "duration: 60s\n",
     "p.yaml:3:41: goal.precision is '0.01%'; give a share from 0.1% to 50%, such as 0.1%\n"},
    {"bounds_are_a_list",
     HEAD "goal: {maximize: throughput, while: latency.p(99) < 20ms}\n"
     "duration: 60s\n",
     "p.yaml:3:37: goal.while is 'latency.p(99) < 20ms'; give a list of 1 to 2 lines\n"},
    {"an_empty_list_is_no_bound",
     HEAD "goal: {maximize: throughput, while: []}\n"
     "duration: 60s\n",
     "p.yaml:3:37: goal.while is an empty list; give a list of 1 to 2 lines\n"},
    {"three_bounds_are_too_many",
     HEAD "goal: {maximize: throughput, while: [errors.rate < 1%, errors.rate < 2%, latency.p(9) < 1s]}\n"
     "duration: 60s\n",
     "p.yaml:3:37: goal.while has 3 items; give at most 2\n"},
    {"two_bounds_on_latency_are_too_many",
     HEAD "goal: {maximize: throughput, while: [latency.p(99) < 20ms, latency.p(50) < 5ms]}\n"
     "duration: 60s\n",
     "p.yaml:3:37: goal.while bounds latency twice; give at most one bound on a latency quantile and one on errors.rate\n"},
    {"a_bound_is_one_that_fewer_workers_keep",
     HEAD "goal: {maximize: throughput, while: [latency.mean < 20ms, throughput > 5/s]}\n"
     "duration: 60s\n",
     "p.yaml:3:38: goal.while has 'latency.mean < 20ms', which no search can keep; give latency.p(99) < 20ms, errors.rate < 0.5%, or both\n"
     "p.yaml:3:59: goal.while has 'throughput > 5/s', which no search can keep; give latency.p(99) < 20ms, errors.rate < 0.5%, or both\n"},
    {"a_bound_is_from_above",
     HEAD "goal: {maximize: throughput, while: [latency.p(99) > 20ms, errors.rate < 0%]}\n"
     "duration: 60s\n",
     "p.yaml:3:38: goal.while has 'latency.p(99) > 20ms', which no search can keep; give latency.p(99) < 20ms, errors.rate < 0.5%, or both\n"
     "p.yaml:3:60: goal.while has 'errors.rate < 0%', which no search can keep; give latency.p(99) < 20ms, errors.rate < 0.5%, or both\n"},
    {"a_bound_that_is_no_line_is_told_as_a_threshold_is",
     HEAD "goal: {maximize: throughput, while: [p99]}\n"
     "duration: 60s\n",
     "p.yaml:3:38: 'p99' is no threshold; give a line such as latency.p(99) < 250ms\n"},
    {"a_rate_needs_its_unit",
     HEAD "goal: {hold: 5000}\n"
     "duration: 60s\n",
     "p.yaml:3:14: goal.hold is '5000'; give a rate from 0.01/s to 10000000/s, such as 5000/s or 300/min, or the word stages\n"},
    {"a_rate_of_0_is_refused",
     HEAD "goal: {hold: 0/s}\n"
     "duration: 60s\n",
     "p.yaml:3:14: goal.hold is '0/s'; give a rate from 0.01/s to 10000000/s, such as 5000/s or 300/min, or the word stages\n"},
    {"a_rate_beyond_the_largest_is_refused",
     HEAD "goal: {hold: 10000001/s}\n"
     "duration: 60s\n",
     "p.yaml:3:14: goal.hold is '10000001/s'; give a rate from 0.01/s to 10000000/s, such as 5000/s or 300/min, or the word stages\n"},
    {"a_concurrency_is_a_whole_number",
     HEAD "goal: {concurrency: 1.5}\n"
     "duration: 60s\n",
     "p.yaml:3:21: goal.concurrency is '1.5'; give a whole number from 1 to 1000000, or the word stages\n"},
    {"a_concurrency_is_within_its_ceiling",
     HEAD "goal: {concurrency: 20001}\n"
     "duration: 60s\n",
     "p.yaml:3:21: goal.concurrency is 20001; give at most limits.concurrency, which is 20000\n"},
    {"a_concurrency_has_no_tolerance",
     HEAD "goal: {concurrency: 5, tolerance: 1%}\n"
     "duration: 60s\n",
     "p.yaml:3:24: goal.tolerance goes with goal.hold; leave it out here\n"},
    {"a_tolerance_has_its_range",
     HEAD "goal: {hold: 1/s, tolerance: 51%}\n"
     "duration: 60s\n",
     "p.yaml:3:30: goal.tolerance is '51%'; give a share from 0.01% to 50%, such as 0.1%\n"},
    {"a_wrong_word_gets_the_nearest",
     HEAD "goal: {hold: 1/s, arrivals: opne}\n"
     "duration: 60s\n",
     "p.yaml:3:29: goal.arrivals is 'opne'; give open or closed; did you mean 'open'?\n"},
    {"closed_arrivals_have_no_spacing",
     HEAD "goal: {hold: 1/s, arrivals: closed, spacing: poisson}\n"
     "duration: 60s\n",
     "p.yaml:3:46: goal.spacing is 'poisson', and closed arrivals have no schedule; leave it out, or give goal.arrivals: open\n"},
    {"a_duration_needs_its_unit",
     HEAD "goal: {hold: 1/s}\n"
     "duration: 60\n",
     "p.yaml:4:11: duration is '60'; give a duration with its unit, from 1s to 744h, such as 250ms or 1h30m\n"},
    {"a_duration_is_1s_at_least",
     HEAD "goal: {hold: 1/s}\n"
     "duration: 999ms\n",
     "p.yaml:4:11: duration is '999ms'; give a duration with its unit, from 1s to 744h, such as 250ms or 1h30m\n"},
    {"a_duration_is_a_month_at_most",
     HEAD "goal: {hold: 1/s}\n"
     "duration: 744h1s\n",
     "p.yaml:4:11: duration is '744h1s'; give a duration with its unit, from 1s to 744h, such as 250ms or 1h30m\n"},
    {"a_warmup_is_shorter_than_the_run",
     HOLD "warmup: 1m\n",
     "p.yaml:5:9: warmup is 60s; give at most 59.8s of a run that takes 60s\n"},
    {"a_warmup_leaves_two_ticks_to_measure",
     HOLD "warmup: 59801ms\n",
     "p.yaml:5:9: warmup is 59.801s; give at most 59.8s of a run that takes 60s\n"},
    {"a_warmup_until_steady_is_for_a_later_release",
     HOLD "warmup: auto\n",
     "p.yaml:5:9: warmup is 'auto', which is not built in this release; give a duration with its unit, from 0 to 744h, such as 250ms or 1h30m\n"},
    {"a_number_of_requests_is_1_at_least",
     HOLD "requests_total: 0\n",
     "p.yaml:5:17: requests_total is '0'; give a whole number from 1 to 70368744177664\n"},
    {"a_number_of_requests_is_more_than_fall_due_in_the_warmup",
     HEAD "goal: {hold: 100/s}\n"
     "requests_total: 500\n"
     "warmup: 5s\n",
     "p.yaml:5:9: warmup is 5s, in which all 500 requests of requests_total fall due; give less, or more requests\n"},
    {"stages_go_with_a_goal_of_stages",
     HOLD "stages: [{duration: 1s, to: 1/s}]\n",
     "p.yaml:5:1: stages goes with goal: {hold: stages} or goal: {concurrency: stages}; leave it out here\n"},
    {"a_duration_goes_with_one_value",
     HEAD "goal: {hold: stages}\n"
     "duration: 5s\n"
     "stages: [{duration: 1s, to: 1/s}]\n",
     "p.yaml:4:1: duration goes with a goal of one value, not with stages; leave it out here\n"},
    {"a_stage_needs_both_keys",
     HEAD "goal: {hold: stages}\n"
     "stages: [{duration: 1s}, {to: 1/s}]\n",
     "p.yaml:4:10: stages.to is missing; give a rate from 0/s to 10000000/s, such as 5000/s or 300/min\n"
     "p.yaml:4:26: stages.duration is missing; give a duration with its unit, from 0 to 744h, such as 250ms or 1h30m\n"},
    {"a_stage_has_the_unit_of_the_goal",
     HEAD "goal: {concurrency: stages}\n"
     "stages: [{duration: 1s, to: 5/s}]\n",
     "p.yaml:4:29: stages.to is '5/s'; give a whole number from 0 to 1000000\n"},
    {"a_stage_of_a_hold_is_a_rate",
     HEAD "goal: {hold: stages}\n"
     "stages: [{duration: 1s, to: 5}]\n",
     "p.yaml:4:29: stages.to is '5'; give a rate from 0/s to 10000000/s, such as 5000/s or 300/min\n"},
    {"stages_do_not_stay_at_0",
     HEAD "goal: {hold: stages}\n"
     "stages: [{duration: 1s, to: 0/s}]\n",
     "p.yaml:4:9: stages stay at 0; give at least one `to` above 0\n"},
    {"stages_take_a_second_at_least",
     HEAD "goal: {hold: stages}\n"
     "stages: [{duration: 1ms, to: 5/s}]\n",
     "p.yaml:4:9: stages take 1ms together; give from 1s to 744h\n"},
    {"stages_stay_below_the_ceiling",
     HEAD "goal: {concurrency: stages}\n"
     "limits: {concurrency: 9}\n"
     "stages: [{duration: 1s, to: 10}]\n",
     "p.yaml:5:9: stages go up to 10; give at most limits.concurrency, which is 9\n"},
    {"stages_are_maps",
     HEAD "goal: {hold: stages}\n"
     "stages: [1s]\n",
     "p.yaml:4:10: stages is '1s'; give a map of duration and to\n"},
    {"no_stages_are_too_few",
     HEAD "goal: {hold: stages}\n"
     "stages: []\n",
     "p.yaml:4:9: stages is an empty list; give a list of 1 to 64 maps\n"},
    {"a_count_has_no_leading_zero",
     HOLD "seed: 010\n",
     "p.yaml:5:7: seed is '010'; give a whole number from 0 to 9007199254740991\n"},
    {"a_count_has_no_underscore",
     HOLD "seed: 1_000\n",
     "p.yaml:5:7: seed is '1_000'; give a whole number from 0 to 9007199254740991\n"},
    {"a_count_has_no_sign",
     HOLD "seed: -1\n",
     "p.yaml:5:7: seed is '-1'; give a whole number from 0 to 9007199254740991\n"},
    {"a_seed_fits_json",
     HOLD "seed: 9007199254740992\n",
     "p.yaml:5:7: seed is '9007199254740992'; give a whole number from 0 to 9007199254740991\n"},
    {"a_ceiling_of_0_is_refused",
     HOLD "limits: {concurrency: 0}\n",
     "p.yaml:5:23: limits.concurrency is '0'; give a whole number from 1 to 1000000\n"},
    {"a_connect_that_may_take_as_long_as_the_request_is_no_limit",
     HOLD "http: {connect_timeout: 5s}\n",
     "p.yaml:5:25: http.connect_timeout is 5s; give less than http.timeout, which is 5s\n"},
    {"a_first_byte_that_may_take_no_time_is_refused",
     HOLD "http: {timeout: 1s, first_byte_timeout: 999us}\n",
     "p.yaml:5:41: http.first_byte_timeout is 999us; give 0 for none, or at least 1ms\n"},
    {"a_name_is_not_looked_up_all_the_time",
     HOLD "http: {resolve: {every: 999ms}}\n",
     "p.yaml:5:25: http.resolve.every is 999ms; give 0 for none, or at least 1s\n"},
    {"a_connection_of_one_request_has_no_other_bound",
     HOLD "http: {keep_alive: false, connection: {requests: 9}}\n",
     "p.yaml:5:39: http.connection bounds connections that http.keep_alive: false ends after one "
     "request; leave one of them out\n"},
    {"more_agents_are_kept_than_are_expected",
     HOLD "agents: {expect: 2, min: 3}\n",
     "p.yaml:5:26: agents.min is 3; give at most agents.expect, which is 2\n"},
    {"agents_have_a_most",
     HOLD "agents: {expect: 8193}\n",
     "p.yaml:5:18: agents.expect is '8193'; give a whole number from 1 to 8192\n"},
    {"a_word_is_one_of_its_list",
     HOLD "agents: {on_loss: panic}\n",
     "p.yaml:5:19: agents.on_loss is 'panic'; give redistribute, abort or hold\n"},
    {"yes_is_no_truth_value",
     HOLD "http: {keep_alive: yes}\n",
     "p.yaml:5:20: http.keep_alive is 'yes'; give true or false\n"},
    {"a_truth_value_is_no_text",
     HOLD "http: {keep_alive: \"true\"}\n",
     "p.yaml:5:20: http.keep_alive is the text 'true'; give true or false\n"},
    {"a_timeout_of_0_is_refused",
     HOLD "http: {timeout: 0s}\n",
     "p.yaml:5:17: http.timeout is '0s'; give a duration with its unit, from 1ms to 1h, such as 250ms or 1h30m\n"},
    {"tls_options_go_with_an_encrypted_target",
     HOLD "http: {tls: {verify: false}}\n",
     "p.yaml:5:14: http.tls.verify goes with an https://, tls:// or rediss:// target; leave it out here\n"},
    {"a_certificate_needs_its_key",
     TARGET("https://h") "http: {tls: {certificate: a.pem}}\n",
     "p.yaml:5:27: http.tls.certificate without http.tls.key; give both, or neither\n"
     "p.yaml:5:27: http.tls.certificate: a.pem: there are no files here\n"},
    {"a_key_needs_its_certificate",
     TARGET("https://h") "http: {tls: {key: a.pem}}\n",
     "p.yaml:5:19: http.tls.key without http.tls.certificate; give both, or neither\n"
     "p.yaml:5:19: http.tls.key: a.pem: there are no files here\n"},
    {"whom_to_trust_is_said_to_who_verifies",
     TARGET("https://h") "http: {tls: {ca: a.pem, verify: false}}\n",
     "p.yaml:5:18: http.tls.ca and verify: false; whom to trust matters only to who verifies\n"
     "p.yaml:5:18: http.tls.ca: a.pem: there are no files here\n"},
    {"a_data_file_has_a_name",
     HOLD "data: {users: {order: random}}\n",
     "p.yaml:5:15: data.file is missing; give text of 1 to 255 bytes without control characters\n"},
    {"a_data_file_is_described_by_a_map",
     HOLD "data: {users: users.csv}\n",
     "p.yaml:5:15: data.users is no map; give a map as in {file: users.csv}\n"},
    {"a_data_file_is_called_by_a_word",
     HOLD "data: {user-list: {file: users.csv}}\n",
     "p.yaml:5:8: data has 'user-list'; a name is of letters, digits and _, begins with no digit, and is none of seq, random and uuid\n"},
    {"a_data_file_is_read_in_an_order",
     HOLD "data: {users: {file: users.csv, order: sorted}}\n",
     "p.yaml:5:22: data.file: users.csv: there are no files here\n"
     "p.yaml:5:40: data.order is 'sorted'; give sequence, random or unique\n"},
    {"data_is_a_map",
     HOLD "data: [users.csv]\n",
     "p.yaml:5:7: data is a list; give a map of up to 8 names, each a map of file and order\n"},
    {"a_variable_is_text",
     HOLD "vars: {a: [1], b: }\n",
     "p.yaml:5:11: vars.a is no text; give one of at most 32768 bytes\n"
     "p.yaml:5:19: vars.b is no text; give one of at most 32768 bytes\n"},
    {"a_variable_has_a_name_of_its_own",
     HOLD "vars: {seq: x, 1st: y}\n",
     "p.yaml:5:8: vars has 'seq'; a name is of letters, digits and _, begins with no digit, and is none of seq, random and uuid\n"
     "p.yaml:5:16: vars has '1st'; a name is of letters, digits and _, begins with no digit, and is none of seq, random and uuid\n"},
    {"a_variable_is_no_template_itself",
     HOLD "vars: {a: '{{ seq }}'}\n",
     "p.yaml:5:11: vars holds '{{'; templates stand in paths, header values, bodies, send and command\n"},
    {"a_variable_is_no_secret",
     HOLD "vars: {a: '${env:TOKEN}'}\n",
     "p.yaml:5:11: vars holds a secret, '${env:' or '${file:'; those stand in header values, bodies, send and command\n"},
    {"a_path_holds_no_secret",
     HOLD "requests: [{get: '/?t=${env:TOKEN}'}]\n",
     "p.yaml:5:18: requests.get holds a secret, '${env:' or '${file:'; those stand in header values, bodies, send and command\n"},
    {"a_target_holds_no_secret",
     "version: 1\ntarget: 'http://${env:HOST}/'\ngoal: {hold: 5/s}\nduration: 9s\n",
     "p.yaml:2:9: target is 'http://${env:HOST}/'; secrets stand in header values and bodies, never in a target\n"},
    {"an_expected_header_holds_no_secret",
     HOLD "requests: [{get: /, expect: {header: {A: '${env:TOKEN}'}}}]\n",
     "p.yaml:5:39: requests.expect.header has 'A'; its value holds a secret, and what an answer holds is none\n"},
    {"a_secret_ends_with_a_brace",
     HOLD "requests: [{post: /, body: 'x ${env:TOKEN'}]\n",
     "p.yaml:5:28: requests.body: '${' has no '}' behind it; give ${env:NAME} or ${file:PATH}\n"},
    {"a_secret_of_the_environment_has_a_variables_name",
     HOLD "requests: [{post: /, body: '${env:1 x}'}]\n",
     "p.yaml:5:28: requests.body: '${env:1 x}' names no variable of the environment; give ${env:NAME}\n"},
    {"a_secret_of_a_file_names_it",
     HOLD "requests: [{post: /, body: '${file:}'}]\n",
     "p.yaml:5:28: requests.body: '${file:}' names no file; give ${file:PATH}\n"},
    {"a_body_of_a_file_names_it",
     HOLD "requests: [{post: /, body: {path: x}}]\n",
     "p.yaml:5:28: requests.body is a map; give text of 0 to 32768 bytes, or a map of file\n"},
    {"a_body_of_a_file_is_told_where_it_is_named",
     HOLD "requests: [{post: /, body: {file: x.json}}]\n",
     "p.yaml:5:35: requests.body.file: x.json: there are no files here\n"},
    {"a_target_needs_a_scheme",
     TARGET("127.0.0.1:8080"),
     "p.yaml:2:9: target is '127.0.0.1:8080'; it begins with http://, tcp:// or redis://, as in http://127.0.0.1:8080\n"},
    {"a_target_of_h2_is_for_a_later_release",
     TARGET("h2://example.org"),
     "p.yaml:2:9: target is 'h2://example.org'; its scheme is not built in this release: give http://, tcp:// or redis://\n"},
    {"a_target_of_redis_has_no_path",
     TARGET("redis://h/1"),
     "p.yaml:2:9: target is 'redis://h/1'; there is more behind the port: give redis://HOST[:PORT]\n"},
    {"a_request_to_redis_has_a_command",
     TARGET("redis://h") "requests: [{name: x}]\n",
     "p.yaml:5:12: a request without a command; give one, as in command: GET key\n"},
    {"http_2_shares_connections",
     TARGET("http://h") "http: {version: 2, keep_alive: false}\n",
     "p.yaml:5:32: http.keep_alive is false, and http.version: 2 shares connections; leave one of them out\n"},
    {"connections_that_are_shared_have_no_bounds",
     TARGET("http://h") "http: {version: 2, connection: {requests: 5}}\n",
     "p.yaml:5:32: http.connection bounds one worker's connection, and http.version: 2 shares them; leave one of them out\n"},
    {"streams_go_with_http_2",
     TARGET("http://h") "http: {streams: 10}\n",
     "p.yaml:5:8: http.streams goes with http.version: 2; leave it out here\n"},
    {"http_has_two_versions",
     TARGET("http://h") "http: {version: 3}\n",
     "p.yaml:5:17: http.version is '3'; give 1.1 or 2\n"},
    {"a_plugin_makes_its_requests_itself",
     TARGET("tcp://h:1") "plugin: {name: x}\nrequests: [{send: a}]\n",
     "p.yaml:6:1: requests goes with a plan without plugin.name; leave it out here\n"},
    {"options_are_for_a_plugin",
     TARGET("tcp://h:1") "plugin: {options: x}\n",
     "p.yaml:5:9: plugin.options without plugin.name; give the plugin that they are for\n"},
    {"a_plugin_goes_with_tcp",
     TARGET("http://h:1") "plugin: {name: x}\n",
     "p.yaml:5:10: plugin.name goes with a tcp:// target; leave it out here\n"},
    {"a_pipeline_shares_connections",
     TARGET("redis://h") "redis: {pipeline: 2}\nrequests: [{command: PING, reconnect: true}]\n",
     "p.yaml:6:11: requests.reconnect makes connections, and redis.pipeline shares them; leave one of them out\n"},
    {"a_pipeline_goes_with_redis",
     TARGET("tcp://h:1") "redis: {pipeline: 2}\n",
     "p.yaml:5:9: redis.pipeline goes with a redis:// target; leave it out here\n"},
    {"a_command_goes_with_redis",
     TARGET("tcp://h:1") "requests: [{command: PING}]\n",
     "p.yaml:5:13: requests.command goes with a redis:// target; leave it out here\n"},
    {"a_method_does_not_go_with_redis",
     TARGET("redis://h") "requests: [{command: PING, get: /}]\n",
     "p.yaml:5:28: requests.get goes with an http:// target; leave it out here\n"},
    {"a_command_ends_its_quotes",
     TARGET("redis://h") "requests: [{command: GET 'a}]\n",
     "p.yaml:5:22: requests.command is 'GET 'a'; a quote in it has no end before a blank, or an escape that is none of "
     "\\n, \\r, \\t, \\\" and \\\\\n"},
    {"a_command_knows_few_escapes",
     TARGET("redis://h") "requests: [{command: 'GET \"\\x00\"'}]\n",
     "p.yaml:5:22: requests.command is the text 'GET \"\\x00\"'; a quote in it has no end before a blank, or an escape "
     "that is none of \\n, \\r, \\t, \\\" and \\\\\n"},
    {"a_command_has_a_word",
     TARGET("redis://h") "requests: [{command: ' '}]\n",
     "p.yaml:5:22: requests.command is the text ' '; it has no word\n"},
    {"a_command_is_no_map",
     TARGET("redis://h") "requests: [{command: {get: x}}]\n",
     "p.yaml:5:22: requests.command is a map; give a command such as GET key, or a list of its words\n"},
    {"a_command_has_words_and_no_lists",
     TARGET("redis://h") "requests: [{command: [GET, [x]]}]\n",
     "p.yaml:5:22: requests.command is a list; its words are text and numbers, no maps or lists\n"},
    {"a_target_of_ftp_is_unknown",
     TARGET("ftp://h"),
     "p.yaml:2:9: target is 'ftp://h'; its scheme is unknown: give http://, tcp:// or redis://\n"},
    {"a_target_needs_a_host",
     TARGET("http:///x"),
     "p.yaml:2:9: target is 'http:///x'; it has no host: give a name, an IPv4 address or [IPv6]\n"},
    {"a_target_has_no_user",
     TARGET("http://me:secret@h/"),
     "p.yaml:2:9: target holds a user; give an Authorization header instead\n"},
    {"a_unix_socket_has_a_path",
     TARGET("http+unix://app.sock/x"),
     "p.yaml:2:9: target is 'http+unix://app.sock/x'; the path of its socket does not begin with %2F, as in http+unix://%2Frun%2Fapp.sock/PATH\n"},
    {"the_path_of_a_unix_socket_is_encoded",
     TARGET("http+unix:///run/app.sock"),
     "p.yaml:2:9: target is 'http+unix:///run/app.sock'; the path of its socket does not begin with %2F, as in http+unix://%2Frun%2Fapp.sock/PATH\n"},
    {"the_path_of_a_unix_socket_is_encoded_well",
     TARGET("http+unix://%2Frun%2"),
     "p.yaml:2:9: target is 'http+unix://%2Frun%2'; a '%' in the path of its socket has no two digits behind it: give %2F for /\n"},
    {"the_path_of_a_unix_socket_holds_no_nul",
     TARGET("http+unix://%2Fa%00b"),
     "p.yaml:2:9: target is 'http+unix://%2Fa%00b'; the path of its socket has a character that no such path should have\n"},
    {"a_unix_socket_has_no_name_to_look_up",
     TARGET("http+unix://%2Fa") "http: {resolve: {every: 5s}}\n",
     "p.yaml:5:25: http.resolve looks up a name, and the target is a Unix socket; leave it out\n"},
    {"a_target_of_ipv6_needs_brackets",
     TARGET("http://fe80::1:80/"),
     "p.yaml:2:9: target is 'http://fe80::1:80/'; an IPv6 address stands in brackets, as in http://[::1]:8080\n"},
    {"a_target_closes_its_bracket",
     TARGET("'http://[::1'"),
     "p.yaml:2:9: target is 'http://[::1'; its '[' has no ']': give [IPv6]\n"},
    {"a_target_in_brackets_is_ipv6",
     TARGET("'http://[1.2.3.4]/'"),
     "p.yaml:2:9: target is 'http://[1.2.3.4]/'; what is in brackets is no IPv6 address: give one, as in http://[::1]:8080\n"},
    {"a_target_has_a_port_of_1_at_least",
     TARGET("http://h:0"),
     "p.yaml:2:9: target is 'http://h:0'; its port is wrong: give a whole number from 1 to 65535\n"},
    {"a_target_has_a_port_of_65535_at_most",
     TARGET("http://h:65536"),
     "p.yaml:2:9: target is 'http://h:65536'; its port is wrong: give a whole number from 1 to 65535\n"},
    {"a_target_with_a_colon_has_a_port",
     TARGET("'http://h:'"),
     "p.yaml:2:9: target is 'http://h:'; its port is wrong: give a whole number from 1 to 65535\n"},
    {"a_target_has_no_blank",
     TARGET("http://exa mple/"),
     "p.yaml:2:9: target is 'http://exa mple/'; its host has a character that no host has: give a name, an IPv4 address or [IPv6]\n"},
    {"a_target_path_has_no_blank",
     TARGET("http://h/a b"),
     "p.yaml:2:9: target is 'http://h/a b'; blanks, control characters and all beyond ASCII are written as %XX\n"},
    {"a_target_has_no_fragment",
     TARGET("'http://h/a#b'"),
     "p.yaml:2:9: target is 'http://h/a#b'; what is behind a '#' is never sent: leave it out\n"},
    {"a_target_of_tcp_has_a_port",
     TARGET("tcp://h"),
     "p.yaml:2:9: target is 'tcp://h'; it has no port: give tcp://HOST:PORT\n"},
    {"a_target_of_tcp_has_no_path",
     TARGET("tcp://h:1/x"),
     "p.yaml:2:9: target is 'tcp://h:1/x'; there is more behind the port: give tcp://HOST:PORT\n"},
    {"a_target_is_no_template",
     TARGET("'http://{{ host }}/'"),
     "p.yaml:2:9: target is 'http://{{ host }}/'; templates stand in the paths of requests: give get: /PATH\n"},
    {"a_request_has_a_method",
     HOLD "requests: [{name: a}]\n",
     "p.yaml:5:12: a request without a method; give get, post, put, delete, patch, head or options, as in get: /\n"},
    {"a_request_has_one_method",
     HOLD "requests: [{get: /, post: /}]\n",
     "p.yaml:5:21: requests.post beside another method; a request has exactly one\n"},
    {"a_request_is_a_map",
     HOLD "requests: [/]\n",
     "p.yaml:5:12: requests is '/'; give a map of name, weight, get, post, put, delete, patch, head, options, headers, body, send, command, expect and reconnect\n"},
    {"a_request_path_begins_with_a_slash",
     HOLD "requests: [{get: 'http://other/'}]\n",
     "p.yaml:5:18: requests.get is the text 'http://other/'; a path begins with '/', and belongs to the plan's target\n"},
    {"a_request_path_has_no_line_end",
     HOLD "requests: [{get: \"/a\\r\\nX: y\"}]\n",
     "p.yaml:5:18: requests.get is the text '/a\\x0D\\x0AX: y'; blanks, control characters and all beyond ASCII are written as %XX\n"},
    {"a_request_path_is_ascii",
     HOLD "requests: [{get: /" "\xC3" "\xA4" "}]\n",
     "p.yaml:5:18: requests.get is '/" "\xC3" "\xA4" "'; blanks, control characters and all beyond ASCII are written as %XX\n"},
    {"a_template_names_what_is_there",
     HOLD "vars: {token: x}\nrequests: [{get: '/p/{{ tokn }}'}]\n",
     "p.yaml:6:18: requests.get: {{ tokn }} names no variable; did you mean 'token'?\n"},
    {"a_template_of_a_data_file_needs_the_file",
     HOLD "requests: [{post: /, body: '{\"u\": \"{{ users.id }}\"}'}]\n",
     "p.yaml:5:28: requests.body: {{ users.id }} names no data file\n"},
    {"a_template_in_a_header_is_told_where_it_stands",
     HOLD "http: {headers: {A: '{{ a }}', C: x}}\nrequests: [{get: /, headers: {B: '{{ b }}'}}, {get: /b}]\n",
     "p.yaml:5:21: http.headers: {{ a }} names no variable; there are seq, uuid, random\n"
     "p.yaml:6:34: requests.headers: {{ b }} names no variable; there are seq, uuid, random\n"},
    {"a_template_in_a_command_is_understood",
     "version: 1\ntarget: redis://h\ngoal: {concurrency: 1}\nduration: 9s\nrequests: [{command: 'GET {{ k }}'}]\n",
     "p.yaml:5:22: requests.command: {{ k }} names no variable; there are seq, uuid, random\n"},
    {"a_template_has_an_end",
     HOLD "requests: [{get: '/p/{{ seq'}]\n",
     "p.yaml:5:18: requests.get: '{{' has no '}}' behind it; write {{ '{{' }} for the braces themselves\n"},
    {"a_path_is_ascii_between_templates_too",
     HOLD "requests: [{get: '/p/{{ seq }} x'}]\n",
     "p.yaml:5:18: requests.get: blanks, control characters and all beyond ASCII are written as %XX\n"},
    {"a_path_does_not_begin_with_a_template",
     HOLD "requests: [{get: '{{ seq }}'}]\n",
     "p.yaml:5:18: requests.get is the text '{{ seq }}'; a path begins with '/', and belongs to the plan's target\n"},
    {"a_variable_in_a_header_has_no_line_end",
     HOLD "vars: {v: \"x\\r\\nB: y\"}\nrequests: [{get: /, headers: {A: '{{ v }}'}}]\n",
     "p.yaml:6:34: requests.headers: a variable with a control character stands in a header; give one line of text\n"},
    {"an_expectation_is_no_template",
     "version: 1\ntarget: tcp://h:1\ngoal: {concurrency: 1}\nduration: 9s\nrequests: [{send: x, expect: {prefix: '{{ seq }}'}}]\n",
     "p.yaml:5:39: requests.expect.prefix holds '{{'; templates stand in paths, header values, bodies, send and command\n"},
    {"a_header_has_no_secret_that_cannot_be_had",
     HOLD "requests: [{get: /, headers: {Authorization: 'Bearer ${env:TOKEN}'}}]\n",
     "p.yaml:5:46: requests.headers: ${env:TOKEN}: there are no secrets here\n"},
    {"a_header_has_no_line_end",
     HOLD "requests: [{get: /, headers: {A: \"x\\r\\nB: y\"}}]\n",
     "p.yaml:5:31: requests.headers has 'A'; its value holds a control character: give one line of text\n"},
    {"a_header_has_no_nul",
     HOLD "requests: [{get: /, headers: {A: \"x\\0\"}}]\n",
     "p.yaml:5:31: requests.headers has 'A'; its value holds a control character: give one line of text\n"},
    {"a_header_has_no_blank_around_it",
     HOLD "requests: [{get: /, headers: {A: \" x\"}}]\n",
     "p.yaml:5:31: requests.headers has 'A'; its value begins or ends with a blank: take the blank out\n"},
    {"a_header_name_is_a_token",
     HOLD "requests: [{get: /, headers: {\"A B\": x}}]\n",
     "p.yaml:5:31: requests.headers has 'A B'; a name is of letters, digits and !#$%&'*+-.^_`|~\n"},
    {"a_header_is_one_line_of_text",
     HOLD "requests: [{get: /, headers: {A: [x]}}]\n",
     "p.yaml:5:31: requests.headers has 'A'; its value is one line of text\n"},
    {"a_header_comes_once_in_any_letters",
     HOLD "requests: [{get: /, headers: {Accept: x, accept: y}}]\n",
     "p.yaml:5:42: requests.headers has 'accept'; it is there already, in other letters: a header may come once\n"},
    {"a_content_length_is_counted",
     HOLD "requests: [{get: /, headers: {content-length: 5}}]\n",
     "p.yaml:5:31: requests.headers has 'content-length'; it is counted from the body: leave it out\n"},
    {"a_connection_header_is_keep_alive",
     HOLD "http: {headers: {Connection: close}}\n",
     "p.yaml:5:18: http.headers has 'Connection'; give http.keep_alive instead\n"},
    {"headers_are_a_map",
     HOLD "http: {headers: [a]}\n",
     "p.yaml:5:17: http.headers is a list; give a map of header names and values, together at most 16384 bytes\n"},
    {"a_weight_of_0_is_refused",
     HOLD "requests: [{get: /, weight: 0}]\n",
     "p.yaml:5:29: requests.weight is '0'; give a whole number from 1 to 1000000\n"},
    {"a_weight_has_no_quotes",
     HOLD "requests: [{get: /, weight: '5'}]\n",
     "p.yaml:5:29: requests.weight is the text '5'; give a whole number from 1 to 1000000\n"},
    {"a_status_has_three_digits",
     HOLD "requests: [{get: /, expect: {status: 99}}]\n",
     "p.yaml:5:38: requests.expect.status is '99'; give a status such as 200, a class such as 2xx, or a list of 1 to 16 of them\n"},
    {"a_status_class_is_from_1_to_5",
     HOLD "requests: [{get: /, expect: {status: [200, 6xx]}}]\n",
     "p.yaml:5:44: requests.expect.status is '6xx'; give a status such as 200, a class such as 2xx, or a list of 1 to 16 of them\n"},
    {"an_expected_header_has_a_text",
     HOLD "requests: [{get: /, expect: {header: {ETag: }}}]\n",
     "p.yaml:5:39: requests.expect.header has 'ETag'; give the text that its value contains, or \"\" for any value\n"},
    {"an_expected_header_has_a_name",
     HOLD "requests: [{get: /, expect: {header: {'a b': c}}}]\n",
     "p.yaml:5:39: requests.expect.header has 'a b'; a name is of letters, digits and !#$%&'*+-.^_`|~, and not longer than a line\n"},
    {"an_expected_header_comes_once",
     HOLD "requests: [{get: /, expect: {header: {a: b, A: c}}}]\n",
     "p.yaml:5:45: requests.expect.header has 'A'; it is there already, in other letters: a header may come once\n"},
    {"an_expected_size_is_one_that_a_body_can_have",
     HOLD "requests: [{get: /, expect: {body_size: '< 0'}}]\n",
     "p.yaml:5:41: requests.expect.body_size is the text '< 0'; give a size such as 512 or 64KiB, or a bound such as \"< 64KiB\"\n"},
    {"an_answer_to_head_has_no_body_to_look_into",
     HOLD "requests: [{head: /, expect: {body_contains: x}}]\n",
     "p.yaml:5:12: requests.expect.body_contains beside head, whose answer has no body; expect a header, or give get\n"},
    {"cookies_of_the_plan_and_of_the_target_do_not_mix",
     HOLD "http: {cookies: true, headers: {cookie: a=b}}\n",
     "p.yaml:2:9: a header Cookie beside http.cookies, which writes one; leave out one of them\n"},
    {"more_redirects_than_browsers_follow_are_too_many",
     HOLD "http: {follow_redirects: 21}\n",
     "p.yaml:5:26: http.follow_redirects is '21'; give a whole number from 0 to 20\n"},
    {"thinking_goes_with_a_fixed_concurrency",
     HOLD "http: {think: 1s}\n",
     "p.yaml:5:8: http.think goes with goal.concurrency; leave it out here\n"},
    {"thinking_takes_no_less_than_its_least",
     HEAD "goal: {concurrency: 4}\nduration: 60s\nhttp: {think: [2s, 1s]}\n",
     "p.yaml:5:15: http.think is a list; give a duration with its unit, from 0 to 1h, such as 250ms or 1h30m, or a list of the least and the most\n"},
    {"two_requests_have_two_names",
     HOLD "requests: [{get: /}, {get: /}]\n",
     "p.yaml:5:22: a second request called 'GET /'; give each a name of its own\n"},
    {"no_requests_are_too_few",
     HOLD "requests: []\n",
     "p.yaml:5:11: requests is an empty list; give a list of 1 to 32 maps\n"},
    {"too_many_requests_are_refused",
     HOLD "requests: [" EIGHT EIGHT EIGHT EIGHT "{get: /}]\n",
     "p.yaml:5:11: requests has 33 items; give at most 32\n"},
    {"http_requests_send_nothing_raw",
     HOLD "requests: [{send: x}]\n",
     "p.yaml:5:12: a request without a method; give get, post, put, delete, patch, head or options, as in get: /\n"
     "p.yaml:5:13: requests.send goes with a tcp:// target; leave it out here\n"},
    {"tcp_requests_have_no_method",
     TCP "requests: [{get: /}]\n",
     "p.yaml:5:13: requests.get goes with an http:// target; leave it out here\n"},
    {"tcp_has_no_headers",
     TCP "http: {headers: {A: b}}\n",
     "p.yaml:5:8: http.headers goes with an http:// target; leave it out here\n"},
    {"tcp_expects_nothing_where_nothing_is_sent",
     TCP "requests: [{expect: {prefix: x}}]\n",
     "p.yaml:5:12: requests.expect.prefix without requests.send; give what to send, or expect nothing\n"},
    {"tcp_sends_a_byte_at_least",
     TCP "requests: [{send: ''}]\n",
     "p.yaml:5:19: requests.send is the text ''; give text of 1 to 32768 bytes, or a map of file\n"},
    {"a_threshold_compares",
     HOLD "thresholds: [latency.p(99)]\n",
     "p.yaml:5:14: 'latency.p(99)' is no threshold; give a line such as latency.p(99) < 250ms\n"},
    {"a_threshold_has_no_equals",
     HOLD "thresholds: [throughput = 5/s]\n",
     "p.yaml:5:14: 'throughput = 5/s' is no threshold; give a line such as latency.p(99) < 250ms\n"},
    {"a_threshold_has_a_known_metric",
     HOLD "thresholds: [latency.p99 < 5ms]\n",
     "p.yaml:5:14: unknown metric 'latency.p99'; give latency.p(99), latency.mean, latency.max, service.p(99), errors.rate or throughput\n"},
    {"a_threshold_has_a_quantile_up_to_100",
     HOLD "thresholds: [latency.p(101) < 5ms]\n",
     "p.yaml:5:14: latency.p takes a number above 0 and at most 100, as in latency.p(99.9)\n"},
    {"a_threshold_closes_its_bracket",
     HOLD "thresholds: [\"latency.p(99 < 5ms\"]\n",
     "p.yaml:5:14: latency.p takes a number above 0 and at most 100, as in latency.p(99.9)\n"},
    {"a_threshold_of_latency_needs_a_unit",
     HOLD "thresholds: [latency.p(99) < 250]\n",
     "p.yaml:5:14: latency.p(99) is compared with '250'; give a duration above 0, such as 250ms\n"},
    {"a_threshold_of_errors_is_a_share",
     HOLD "thresholds: [errors.rate < 101%]\n",
     "p.yaml:5:14: errors.rate is compared with '101%'; give a share from 0% to 100%, such as 0.1%\n"},
    {"a_threshold_of_throughput_is_a_rate",
     HOLD "thresholds: [throughput > 4900]\n",
     "p.yaml:5:14: throughput is compared with '4900'; give a rate, such as 4900/s\n"},
    {"thresholds_are_a_list",
     HOLD "thresholds: latency.p(99) < 5ms\n",
     "p.yaml:5:13: thresholds is 'latency.p(99) < 5ms'; give a list of up to 32 lines\n"},
    {"what_is_repeated_cannot_drive_a_terminal",
     HOLD "seed: \"\\e[2J\"\n",
     "p.yaml:5:7: seed is the text '\\x1B[2J'; give a whole number from 0 to 9007199254740991\n"},
};
/* clang-format on */

static void bad_plan_is_refused(void **state)
{
    const struct bad_plan *bad = *state;

    struct plan *plan = read_bytes(bad->text, strlen(bad->text));

    assert_null(plan);
    assert_string_equal(errors_text(), bad->errors);
    for (uint32_t i = 0; i < errors.count; i++)
        assert_true(errors.items[i].kind == ERROR_PLAN || errors.items[i].kind == ERROR_LIMIT);
}

static void at_most_twenty_mistakes_are_told_in_the_order_of_the_file(void **state)
{
    (void)state;
    char text[2048] = "";
    char *end = text;
    for (int i = 0; i < 30; i++)
        end += sprintf(end, "unknown_%02d: 1\n", i);

    assert_null(read_bytes(text, strlen(text)));

    assert_int_equal(errors.count, PLAN_ERRORS_MAX);
    assert_true(errors.more);
    for (uint32_t i = 1; i < errors.count; i++)
        assert_true(errors.items[i].place.line >= errors.items[i - 1].place.line);
    assert_non_null(strstr(errors_text(), "unknown key 'unknown_00'"));
}

static void the_requests_together_fit_an_assignment(void **state)
{
    (void)state;
    static char text[3 * BODY_BYTES_MAX];
    char *end = text + sprintf(text, HOLD "requests:\n");
    for (int i = 0; i < 2; i++) {
        end += sprintf(end, "- {name: r%d, post: /, body: '", i);
        memset(end, 'x', BODY_BYTES_MAX);
        end = stpcpy(end + BODY_BYTES_MAX, "'}\n");
    }

    assert_null(read_bytes(text, strlen(text)));

    assert_string_equal(errors_text(),
                        "p.yaml:6:1: requests take 68614 bytes together, with their headers and "
                        "bodies and 1024 for each; give at most 65536\n");
}

static void headers_have_a_most_in_number_and_in_bytes(void **state)
{
    (void)state;
    static char text[2 * HEADERS_BYTES_MAX];
    char *end = text + sprintf(text, HOLD "http: {headers: {");
    for (int i = 0; i < 101; i++)
        end += sprintf(end, "A%d: b, ", i);
    stpcpy(end, "}}\n");
    assert_null(read_bytes(text, strlen(text)));
    assert_string_equal(errors_text(),
                        "p.yaml:5:17: http.headers has 101 headers; give at most 100\n");

    end = text + sprintf(text, HOLD "http: {headers: {A: ");
    memset(end, 'x', HEADERS_BYTES_MAX);
    stpcpy(end + HEADERS_BYTES_MAX, "}}\n");
    assert_null(read_bytes(text, strlen(text)));
    assert_string_equal(errors_text(),
                        "p.yaml:5:17: http.headers takes 16389 bytes; give at most 16384\n");
}

static void headers_of_plan_and_request_together_have_the_same_most(void **state)
{
    (void)state;
    static char text[HEADERS_BYTES_MAX];
    char *end = text + sprintf(text, HOLD "http: {headers: {");
    for (int i = 0; i < 100; i++)
        end += sprintf(end, "A%d: b, ", i);
    stpcpy(end, "}}\nrequests: [{get: /, headers: {a1: b}}, {post: /, headers: {B: b}}]\n");

    assert_null(read_bytes(text, strlen(text)));

    assert_string_equal(errors_text(),
                        "p.yaml:6:40: this request has 101 headers of 796 bytes with those of "
                        "http.headers; give at most 100 of 16384 bytes\n");
}

/* What the command line says is told without a place, and with the flag's name. */
struct bad_flags {
    const char *name;
    struct plan_flags flags;
    const char *errors;
};

static const char *const two_accepts[] = {"Accept: a", "accept: b"};
static const char *const no_colon[] = {"Accept"};
static const char *const broken_line[] = {"A: b\r\nC: d"};

static const char *const one_bound[] = {"p(99)<20ms"};
static const char *const no_bounds[] = {"p(99)>20ms", ""};
static const char *const three_bounds[] = {"p(99)<20ms,errors.rate<1%,p(50)<1ms"};
static const char *const two_bounds_on_latency[] = {"p(99)<20ms", "latency.p(50) < 1ms"};

static const struct bad_flags bad_flags[] = {
    {"flags_bound_nothing_but_a_search",
     {.url = "http://h", .rate_per_s = 1, .bounds = one_bound, .bound_given_count = 1},
     "--while goes with a search for the most, which is neither -R nor -c; leave these out, or "
     "--while\n"},
    {"flags_bound_what_a_search_can_keep",
     {.url = "http://h", .bounds = no_bounds, .bound_given_count = 2},
     "--while has 'latency.p(99)>20ms', which no search can keep; give latency.p(99) < 20ms, "
     "errors.rate < 0.5%, or both\n"
     "'' is no threshold; give a line such as latency.p(99) < 250ms\n"},
    {"flags_have_two_bounds_at_most",
     {.url = "http://h", .bounds = three_bounds, .bound_given_count = 1},
     "--while has more than two bounds; give at most one on a latency quantile and one on "
     "errors.rate\n"},
    {"flags_bound_latency_once",
     {.url = "http://h", .bounds = two_bounds_on_latency, .bound_given_count = 2},
     "goal.while bounds latency twice; give at most one bound on a latency quantile and one on "
     "errors.rate\n"},
    {"flags_have_one_goal",
     {.url = "http://h", .rate_per_s = 1, .concurrency = 1},
     "-R and -c together; give -R to hold a rate, or -c for a fixed concurrency\n"},
    {"flags_hold_no_more_than_a_plan_may",
     {.url = "http://h", .rate_per_s = 2e7},
     "-R is out of range; give a rate from 0.01/s to 10000000/s, such as 5000/s or 300/min\n"},
    {"flags_run_a_second_at_least",
     {.url = "http://h", .rate_per_s = 1, .duration_ns = NS_PER_MS},
     "--duration is out of range; give a duration with its unit, from 1s to 744h, such as 250ms or "
     "1h30m\n"},
    {"flags_have_a_target_that_is_built",
     {.url = "h2://h", .rate_per_s = 1},
     "target is 'h2://h'; its scheme is not built in this release: give http://, tcp:// or "
     "redis://\n"},
    {"flags_trust_only_where_there_is_whom_to_trust",
     {.url = "http://h", .rate_per_s = 1, .trusting = true},
     "-k goes with an https://, tls:// or rediss:// target; leave it out\n"},
    {"flags_have_a_known_method",
     {.url = "http://h", .rate_per_s = 1, .method = "BREW"},
     "-m is an unknown method; give GET, POST, PUT, DELETE, PATCH, HEAD or OPTIONS\n"},
    {"flags_have_each_header_once",
     {.url = "http://h", .rate_per_s = 1, .headers = two_accepts, .header_count = 2},
     "-H has 'accept'; it is there already: a header may come once\n"},
    {"flags_have_headers_with_a_colon",
     {.url = "http://h", .rate_per_s = 1, .headers = no_colon, .header_count = 1},
     "-H has 'Accept', which has no ':'; give 'Name: value'\n"},
    {"flags_have_headers_of_one_line",
     {.url = "http://h", .rate_per_s = 1, .headers = broken_line, .header_count = 1},
     "-H has 'A'; its value holds a control character: give one line of text\n"},
    {"flags_have_a_body_of_text",
     {.url = "http://h", .rate_per_s = 1, .body = "\xFF"},
     "requests.body is not UTF-8; give text\n"},
    {"flags_shape_no_request_for_tcp",
     {.url = "tcp://h:1", .rate_per_s = 1, .body = "x"},
     "-m, -H and -b go with an http:// target; leave them out\n"},
};

static void bad_flags_are_refused(void **state)
{
    const struct bad_flags *bad = *state;
    errors = (struct plan_errors){0};

    assert_null(plan_from_flags(&bad->flags, &errors));

    assert_string_equal(errors_text(), bad->errors);
    assert_int_equal(errors.items[0].kind, ERROR_USAGE);
}

int main(void)
{
    static const struct CMUnitTest plain[] = {
        cmocka_unit_test(at_most_twenty_mistakes_are_told_in_the_order_of_the_file),
        cmocka_unit_test(the_requests_together_fit_an_assignment),
        cmocka_unit_test(headers_have_a_most_in_number_and_in_bytes),
        cmocka_unit_test(headers_of_plan_and_request_together_have_the_same_most),
    };
    struct CMUnitTest tests[COUNT(plain) + COUNT(bad_plans) + COUNT(bad_flags)];
    size_t count = COUNT(plain);
    memcpy(tests, plain, sizeof plain);
    for (size_t i = 0; i < COUNT(bad_plans); i++)
        tests[count++] = (struct CMUnitTest){.name = bad_plans[i].name,
                                             .test_func = bad_plan_is_refused,
                                             .initial_state = (void *)(uintptr_t)&bad_plans[i]};
    for (size_t i = 0; i < COUNT(bad_flags); i++)
        tests[count++] = (struct CMUnitTest){.name = bad_flags[i].name,
                                             .test_func = bad_flags_are_refused,
                                             .initial_state = (void *)(uintptr_t)&bad_flags[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
