# shellcheck shell=bash
# Running a command in front of somebody: what is shown is what runs. Sourced by scripts/demo.

bold='' dim='' red='' plain=''
if [ -t 1 ]; then
    bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' plain=$'\e[0m'
fi

longest=24 # lines of an answer that are shown

step() {
    number=$((${number-0} + 1))
    title=$1
    printf '\n%s%d. %s%s\n' "$bold" "$number" "$title" "$plain"
}

note() { echo "   $*"; }

# run COMMAND [REGEX [ALSO]]: shows the command, runs it, and shows what it said:
# all of it, or the lines that match REGEX, of which there must be one, or ALSO.
# The command must succeed.
run() {
    execute "$1"
    [ "$status" = 0 ] || fail "The command ended with status $status"
    show "${2-}" "${3-}"
}

# The same, for a command whose words do not matter when it succeeds.
quietly() {
    execute "$1"
    [ "$status" = 0 ] || fail "The command ended with status $status"
}

# refused COMMAND REGEX: the same for a command that must fail for that reason.
refused() {
    execute "$1"
    [ "$status" != 0 ] || fail "The command should have been refused, and was not"
    show "$2"
    printf '   %s(refused, as it should be: status %d)%s\n' "$dim" "$status" "$plain"
}

show_command() { printf '   %s$ %s%s\n' "$bold" "$1" "$plain"; }

execute() {
    show_command "$1"
    status=0
    said=$(timeout --foreground 60 bash -o pipefail -c "$1" 2>&1 </dev/null | tr -d '\r\0'
        exit "${PIPESTATUS[0]}") || status=$?
}

show() {
    local lines=$said
    [ -z "$1" ] || grep -Eq -- "$1" <<<"$said" || fail "Its answer has no line like '$1'"
    [ -z "$1" ] || lines=$(grep -E -- "$1${2:+|$2}" <<<"$said")
    [ -n "$lines" ] || return 0
    head -n "$longest" <<<"$lines" | sed "s/[[:blank:]]*$//; s/^/   $dim| $plain/"
    [ "$(wc -l <<<"$lines")" -le "$longest" ] || echo "   $dim| ...$plain"
}

# The reason, the step and the whole answer of its last command.
fail() {
    {
        printf '\n%sThe demo failed in step %d (%s):%s\n' "$red" "${number-0}" "${title-start}" "$plain"
        echo "$1."
        [ -z "${said-}" ] || { echo "Its whole answer:"; echo "$said"; }
    } >&2
    exit 1
}
