# What the stories share. A story is a function of one of the files beside this one;
# it runs with -eu in a directory and on a TPM of its own. In the environment:
# TPM2TOOLS_TCTI, another TPM's OTHER_TCTI for the stories that say `other`, and
# MAKE_ROOM, the command that unloads what a tool left loaded in a TPM without a
# resource manager. The tools are called without `tpm2_`, by these functions.

tpm2() {
    tool=$1
    shift
    if "tpm2_$tool" "$@"; then tool_status=0; else tool_status=$?; fi
    case $tool in
    pcr* | nv[dirw]* | getcap | flushcontext | policypcr | policycommandcode) ;; # load nothing
    *) $MAKE_ROOM ;;
    esac
    return $tool_status
}

other() { (export TPM2TOOLS_TCTI="$OTHER_TCTI" && tpm2 "$@"); }

# refused CODE TOOL ARGUMENT...: the TPM answers with the code, in capital hex digits
refused() {
    code=$1
    shift
    if tpm2 "$@" >refused.out 2>refused.err; then
        echo "not refused: $*" >&2
        return 1
    fi
    grep -qi "(0x$code)" refused.err && return
    echo "refused otherwise than by 0x$code: $*" >&2
    cat refused.err >&2
    return 1
}

# rejected TOOL ARGUMENT...: the tool itself finds the data wrong
rejected() {
    if tpm2 "$@" >refused.out 2>refused.err; then
        echo "not rejected: $*" >&2
        return 1
    fi
}

# same WORD WORD
same() {
    [ "$1" = "$2" ] && return
    echo "not the same: '$1' and '$2'" >&2
    return 1
}

# contains FILE REGULAR-EXPRESSION
contains() {
    grep -qE -e "$2" "$1" && return
    echo "$1 does not contain '$2':" >&2
    cat "$1" >&2
    return 1
}

# make_primary [ARGUMENT...]: primary.ctx
make_primary() { tpm2 createprimary -Q -c primary.ctx "$@"; }

# make_key NAME ALGORITHM [ARGUMENT...]: NAME.pub, .priv and .ctx under primary.ctx
make_key() {
    key_name=$1 key_algorithm=$2
    shift 2
    tpm2 create -Q -C primary.ctx -G "$key_algorithm" -u "$key_name.pub" -r "$key_name.priv" "$@"
    tpm2 load -Q -C primary.ctx -u "$key_name.pub" -r "$key_name.priv" -c "$key_name.ctx"
}

# seal NAME TEXT [ARGUMENT...]: NAME.ctx under primary.ctx
seal() {
    seal_name=$1
    printf '%s' "$2" >"$seal_name.secret"
    shift 2
    tpm2 create -Q -C primary.ctx -i "$seal_name.secret" -u "$seal_name.pub" \
        -r "$seal_name.priv" "$@"
    tpm2 load -Q -C primary.ctx -u "$seal_name.pub" -r "$seal_name.priv" -c "$seal_name.ctx"
}

# A trial session, from which `-L FILE` of a policy tool takes the policy.
try_policy() {
    tpm2 startauthsession -S trial.ctx
    "$@"
    tpm2 flushcontext trial.ctx
}

# within COMMAND...: in a new policy session, session.ctx
within() {
    tpm2 startauthsession -S session.ctx --policy-session
    "$@"
    tpm2 flushcontext session.ctx
}

# software_key NAME: NAME.pem and NAME.public.pem
software_key() {
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.pem"
    openssl pkey -in "$1.pem" -pubout -out "$1.public.pem"
}
