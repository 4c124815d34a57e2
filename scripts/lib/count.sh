# shellcheck shell=bash
# Counts of tests, added up over many programs. Sourced by scripts that run tests.

total_passed=0 total_failed=0 total_skipped=0

add_counts() {
    total_passed=$((total_passed + $1))
    total_failed=$((total_failed + $2))
    total_skipped=$((total_skipped + $3))
}

# Prints the one line of counts; the status says whether nothing failed.
print_counts() {
    echo "$total_passed passed, $total_failed failed, $total_skipped skipped"
    [ "$total_failed" -eq 0 ]
}

# All functions below print "PASSED FAILED SKIPPED".

count_one() { if [ "$1" -eq 0 ]; then echo 1 0 0; else echo 0 1 0; fi; }

has_sanitizer_report() {
    grep -qaE 'ERROR: (Address|Leak|Thread|Memory)Sanitizer|WARNING: ThreadSanitizer|runtime error:' "$1"
}

# count_tap LOG STATUS: what a program announced and did not report has failed,
# and so has one that says all is well but ends badly.
count_tap() {
    local counts bad=0
    counts=$(awk '
        /^1\.\.[0-9]+$/ { plan++; planned += substr($0, 4); next }
        /^(not )?ok [0-9]+/ {
            number = $1 == "not" ? $3 : $2
            if ((plan, number) in seen) next
            seen[plan, number] = 1
            if (/# SKIP/) skipped++
            else if ($1 == "not") failed++
            else passed++
        }
        END {
            missing = planned - passed - failed - skipped
            if (missing > 0) failed += missing
            print passed + 0, failed + 0, skipped + 0
        }' "$1")
    [ "$2" -eq 0 ] && [ "$counts" != "0 0 0" ] && ! has_sanitizer_report "$1" || bad=1
    # shellcheck disable=SC2086
    at_least_failed "$bad" $counts
}

# count_junit XML STATUS
count_junit() {
    local tests failures errors skipped
    tests=$(junit_number "$1" tests)
    failures=$(junit_number "$1" failures)
    errors=$(junit_number "$1" errors)
    skipped=$(junit_number "$1" skipped)
    local failed=$((failures + errors)) bad=0
    [ "$2" -eq 0 ] && [ "$tests" -gt 0 ] || bad=1
    [ $((failed + skipped)) -le "$tests" ] || tests=$((failed + skipped))
    at_least_failed "$bad" $((tests - failed - skipped)) "$failed" "$skipped"
}

junit_number() {
    local number
    number=$(sed -n "s/.*<testsuite [^>]*\b$2=\"\([0-9]*\)\".*/\1/p" "$1" 2>/dev/null | head -n 1)
    echo "${number:-0}"
}

# at_least_failed BAD PASSED FAILED SKIPPED: a run that went badly counts as one failure at least
at_least_failed() {
    if [ "$1" -ne 0 ] && [ "$3" -eq 0 ]; then set -- "$1" "$2" 1 "$4"; fi
    echo "$2 $3 $4"
}
