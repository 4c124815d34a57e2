# shellcheck shell=bash
# How programs built with SANITIZE=... shall behave. Sourced by scripts that run tests.

# set_sanitizer_options BUILD
set_sanitizer_options() {
    [ -n "${SANITIZE-}" ] || return 0
    SANITIZER_PRELOAD=$(scripts/sanitizer-preload "$1")
    export SANITIZER_PRELOAD # for tests that start ordinary programs
    export SANITIZE
    export ASAN_OPTIONS=${ASAN_OPTIONS-abort_on_error=1:detect_stack_use_after_return=1}
    export LSAN_OPTIONS=${LSAN_OPTIONS-suppressions=$PWD/scripts/lib/leaks:print_suppressions=0}
    export UBSAN_OPTIONS=${UBSAN_OPTIONS-print_stacktrace=1:halt_on_error=1}
    export TSAN_OPTIONS=${TSAN_OPTIONS-halt_on_error=0:second_deadlock_stack=1}
}
