# NV indexes: of all kinds, with their locks and their ways of authorisation.

what_is_written_is_read_in_parts() {
    tpm2 nvdefine -Q -C o -s 2048 -a 'ownerread|ownerwrite' 0x1500020
    refused 14A nvread -C o -s 8 0x1500020
    head -c 2048 /dev/urandom >large
    tpm2 nvwrite -Q -C o -i large 0x1500020
    tpm2 nvread -C o -s 2048 -o again 0x1500020
    cmp large again
    printf middle | tpm2 nvwrite -Q -C o --offset 1000 -i - 0x1500020
    same "$(tpm2 nvread -C o --offset 1000 -s 6 0x1500020)" middle
    tpm2 nvreadpublic 0x1500020 >public
    contains public 'size: 2048'
    contains public 'written'
    printf x >x
    rejected nvwrite -C o --offset 2048 -i x 0x1500020
    refused 14C nvdefine -C o -s 8 0x1500020
    tpm2 nvundefine -Q -C o 0x1500020
    refused 18B nvreadpublic 0x1500020
}

an_index_may_have_a_password() {
    tpm2 nvdefine -Q -C o -s 4 -a 'authread|authwrite' -p index 0x1500021
    printf abcd >data
    tpm2 nvwrite -Q -P index -i data 0x1500021
    same "$(tpm2 nvread -P index -s 4 0x1500021)" abcd
    refused 98E nvread -P wrong -s 4 0x1500021
    refused 149 nvread -C o -s 4 0x1500021
}

a_counter_only_counts() {
    tpm2 nvdefine -Q -C o -s 8 -a 'nt=counter|ownerread|ownerwrite' 0x1500022
    refused 14A nvread -C o -s 8 0x1500022
    tpm2 nvincrement -Q -C o 0x1500022
    tpm2 nvread -C o -s 8 -o 1 0x1500022
    tpm2 nvincrement -Q -C o 0x1500022
    tpm2 nvread -C o -s 8 -o 2 0x1500022
    same $((0x$(od -An -tx1 2 | tr -d ' \n') - 0x$(od -An -tx1 1 | tr -d ' \n'))) 1
    printf 12345678 >data
    rejected nvwrite -C o -i data 0x1500022
    tpm2 nvundefine -Q -C o 0x1500022
    tpm2 nvdefine -Q -C o -s 8 -a 'nt=counter|ownerread|ownerwrite' 0x1500022
    tpm2 nvincrement -Q -C o 0x1500022
    tpm2 nvread -C o -s 8 -o 3 0x1500022
    [ $((0x$(od -An -tx1 3 | tr -d ' \n'))) -gt $((0x$(od -An -tx1 2 | tr -d ' \n'))) ]
}

an_extended_index_is_a_hash_chain() {
    tpm2 nvdefine -Q -C o -g sha256 -a 'nt=extend|ownerread|ownerwrite' 0x1500023
    printf data | tpm2 nvextend -Q -C o -i - 0x1500023
    { head -c 32 /dev/zero; printf data; } | openssl dgst -sha256 -binary >expected
    tpm2 nvread -C o -s 32 -o value 0x1500023
    cmp expected value
}

bits_are_set_and_stay() {
    tpm2 nvdefine -Q -C o -a 'nt=bits|ownerread|ownerwrite' 0x1500024
    tpm2 nvsetbits -Q -C o -i 0x0100000000000001 0x1500024
    tpm2 nvsetbits -Q -C o -i 0x4 0x1500024
    same "$(tpm2 nvread -C o 0x1500024 | od -An -tx1 | tr -d ' ')" 0100000000000005
}

locks_hold_until_the_next_start() {
    tpm2 nvdefine -Q -C o -s 4 -a 'ownerread|ownerwrite|read_stclear|writedefine|write_stclear|authread' 0x1500025
    printf abcd >data
    tpm2 nvwrite -Q -C o -i data 0x1500025
    tpm2 nvwritelock -Q -C o 0x1500025
    refused 148 nvwrite -C o -i data 0x1500025
    tpm2 nvread -Q -C o -s 4 0x1500025 >/dev/null
    tpm2 nvreadlock -Q -C o 0x1500025
    refused 148 nvread -C o -s 4 0x1500025
}

all_indexes_are_locked_at_once() {
    tpm2 nvdefine -Q -C o -s 4 -a 'ownerread|ownerwrite|globallock' 0x1500026
    tpm2 nvdefine -Q -C o -s 4 -a 'ownerread|ownerwrite' 0x1500027
    printf abcd >data
    tpm2 nvwritelock -Q -C o --global
    refused 148 nvwrite -C o -i data 0x1500026
    tpm2 nvwrite -Q -C o -i data 0x1500027
}

a_policy_guards_an_index() {
    try_policy tpm2 policypcr -Q -S trial.ctx -l sha256:16 -L policy
    tpm2 nvdefine -Q -C o -s 4 -L policy -a 'policyread|policywrite' 0x1500028
    printf abcd >data
    use() {
        tpm2 policypcr -Q -S session.ctx -l sha256:16
        tpm2 nvwrite -Q -P session:session.ctx -i data 0x1500028
        tpm2 policyrestart -S session.ctx
        tpm2 policypcr -Q -S session.ctx -l sha256:16
        same "$(tpm2 nvread -P session:session.ctx -s 4 0x1500028)" abcd
    }
    within use
    refused 12F nvread -s 4 0x1500028
    tpm2 pcrextend 16:sha256="$(printf '%064d' 1)"
    changed() {
        tpm2 policypcr -Q -S session.ctx -l sha256:16
        refused 99D nvread -P session:session.ctx -s 4 0x1500028
    }
    within changed
}

# limit COUNT MAXIMUM: a PIN index's contents
limit() { printf "%b" "$(printf '\\0%03o' 0 0 0 "$1" 0 0 0 "$2")"; }

a_pin_index_counts_wrong_pins() {
    tpm2 nvdefine -Q -C o -s 8 -p pin -a 'nt=pinfail|ownerread|ownerwrite|authread|no_da' 0x1500029
    limit 0 2 | tpm2 nvwrite -Q -C o -i - 0x1500029
    count() { tpm2 nvread -C o -s 4 0x1500029 | od -An -tu1 | tr -d ' \n'; }
    check() { "$@" policysecret -S session.ctx -c 0x1500029 "$pin"; }
    pin=pin
    within check tpm2
    pin=wrong
    within check refused 9A2
    same "$(count)" 0001
    pin=pin
    within check tpm2
    same "$(count)" 0000
    pin=wrong
    within check refused 9A2
    within check refused 9A2
    pin=pin
    within check refused 12F
    same "$(count)" 0002
    limit 0 2 | tpm2 nvwrite -Q -C o -i - 0x1500029
    within check tpm2
    same "$(tpm2 getcap properties-variable | sed -n 's/TPM2_PT_LOCKOUT_COUNTER: //p')" 0x0
}

a_pin_index_counts_uses() {
    tpm2 nvdefine -Q -C o -s 8 -p pin -a 'nt=pinpass|ownerread|ownerwrite|authread|no_da' 0x150002A
    limit 0 1 | tpm2 nvwrite -Q -C o -i - 0x150002A
    check() { "$@" policysecret -S session.ctx -c 0x150002A pin; }
    within check tpm2
    within check refused 12F
}

an_index_of_the_platform_goes_by_policy_only() {
    try_policy tpm2 policycommandcode -Q -S trial.ctx -L policy TPM2_CC_NV_UndefineSpaceSpecial
    tpm2 nvdefine -Q -C p -s 4 -L policy -a 'ppread|ppwrite|platformcreate|policydelete|writedefine|authread|authwrite' 0x150002B
    rejected nvundefine -C p 0x150002B
    remove() {
        tpm2 policycommandcode -Q -S session.ctx TPM2_CC_NV_UndefineSpaceSpecial
        tpm2 nvundefine -Q -S session.ctx 0x150002B
    }
    within remove
    refused 18B nvreadpublic 0x150002B
}

ownership_is_needed_to_define_an_index() {
    indexes() { tpm2 getcap handles-nv-index | grep -c '^- 0x1' || true; }
    before=$(indexes)
    tpm2 changeauth -Q -c o owner
    refused 9A2 nvdefine -C o -s 8 0x150002C
    tpm2 nvdefine -Q -C o -P owner -s 8 0x150002C
    tpm2 nvdefine -Q -C o -P owner -s 8
    same "$(indexes)" $((before + 2))
}
