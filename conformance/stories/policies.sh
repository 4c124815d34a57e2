# Policies: what they let through, and that they hold everything else back.

unseal() { same "$(tpm2 unseal -c "$1.ctx" -p "session:session.ctx${3-}")" "$2"; }

pcrs_open_a_seal() {
    make_primary
    try_policy tpm2 policypcr -Q -S trial.ctx -l sha256:8,23 -L policy
    seal sealed secret -L policy
    open() {
        tpm2 policypcr -Q -S session.ctx -l sha256:8,23
        unseal sealed secret
    }
    within open
    refused 12F unseal -c sealed.ctx
    tpm2 pcrextend 23:sha256="$(printf '%064d' 1)"
    too_late() {
        tpm2 policypcr -Q -S session.ctx -l sha256:8,23
        refused 99D unseal -c sealed.ctx -p session:session.ctx
    }
    within too_late
    tpm2 pcrreset 23
    within open
    overtaken() {
        tpm2 policypcr -Q -S session.ctx -l sha256:8,23
        tpm2 pcrextend 8:sha256="$(printf '%064d' 1)"
        refused 128 unseal -c sealed.ctx -p session:session.ctx
    }
    within overtaken
}

a_secret_of_a_hierarchy_opens_a_seal() {
    make_primary
    tpm2 changeauth -Q -c e secret
    try_policy tpm2 policysecret -Q -S trial.ctx -c e -L policy secret
    seal sealed data -L policy
    open() {
        refused 9A2 policysecret -S session.ctx -c e wrong
        tpm2 policysecret -Q -S session.ctx -c e secret
        unseal sealed data
    }
    within open
}

a_signature_opens_a_seal() {
    make_primary
    software_key authority
    tpm2 loadexternal -Q -C o -G ecc -u authority.public.pem -c authority.ctx -n authority.name
    signed() {
        tpm2 policysigned -S "$1.ctx" -g sha256 -c authority.ctx --raw-data to-sign -t 0 -x
        openssl dgst -sha256 -sign authority.pem -out signature to-sign
        tpm2 policysigned -Q -S "$1.ctx" -g sha256 -s signature -f ecdsa -c authority.ctx -t 0 -x -L policy
    }
    try_policy signed trial
    seal sealed data -L policy
    open() {
        signed session
        unseal sealed data
    }
    within open
    forged() {
        printf wrong >to-sign
        openssl dgst -sha256 -sign authority.pem -out signature to-sign
        refused 5DB policysigned -S session.ctx -g sha256 -s signature -f ecdsa -c authority.ctx -t 0 -x
    }
    within forged
}

a_ticket_stands_for_a_signature() {
    make_primary
    software_key authority
    tpm2 loadexternal -Q -C o -G ecc -u authority.public.pem -c authority.ctx -n authority.name
    signed() {
        tpm2 policysigned -S "$1.ctx" -g sha256 -c authority.ctx --raw-data to-sign -t -3600 -x
        openssl dgst -sha256 -sign authority.pem -out signature to-sign
        tpm2 policysigned -Q -S "$1.ctx" -g sha256 -s signature -f ecdsa -c authority.ctx -t -3600 -x \
            --ticket ticket --timeout timeout -L policy
    }
    try_policy signed trial
    seal sealed data -L policy
    within signed session
    open() {
        tpm2 policyticket -Q -S session.ctx -n authority.name --ticket ticket --timeout timeout
        unseal sealed data
    }
    within open
}

either_of_two_policies_opens_a_seal() {
    make_primary
    try_policy tpm2 policypcr -Q -S trial.ctx -l sha256:16 -L 1.policy
    tpm2 pcrextend 16:sha256="$(printf '%064d' 1)"
    try_policy tpm2 policypcr -Q -S trial.ctx -l sha256:16 -L 2.policy
    try_policy tpm2 policyor -Q -S trial.ctx -L policy sha256:1.policy,2.policy
    seal sealed data -L policy
    open() {
        tpm2 policypcr -Q -S session.ctx -l sha256:16
        tpm2 policyor -Q -S session.ctx sha256:1.policy,2.policy
        unseal sealed data
    }
    within open
    tpm2 pcrreset 16
    within open
    tpm2 pcrextend 16:sha256="$(printf '%064d' 2)"
    neither() {
        tpm2 policypcr -Q -S session.ctx -l sha256:16
        refused 1C4 policyor -S session.ctx sha256:1.policy,2.policy
    }
    within neither
}

# approve NAME: signs NAME.policy with signing.pem; NAME.ticket
approve() {
    openssl dgst -sha256 -sign authority.pem -out approval "$1.policy"
    tpm2 loadexternal -Q -C o -G ecc -u authority.public.pem -c authority.ctx -n authority.name
    tpm2 verifysignature -Q -c authority.ctx -g sha256 -m "$1.policy" -s approval -f ecdsa -t "$1.ticket"
}

an_authority_may_approve_new_policies() {
    make_primary
    software_key authority
    try_policy tpm2 policypcr -Q -S trial.ctx -l sha256:16 -L old.policy
    approve old
    try_policy tpm2 policyauthorize -Q -S trial.ctx -L policy -i old.policy -n authority.name -t old.ticket
    seal sealed data -L policy
    open() {
        tpm2 policypcr -Q -S session.ctx -l sha256:16
        tpm2 policyauthorize -Q -S session.ctx -i "$1.policy" -n authority.name -t "$1.ticket"
        unseal sealed data
    }
    within open old
    tpm2 pcrextend 16:sha256="$(printf '%064d' 1)"
    try_policy tpm2 policypcr -Q -S trial.ctx -l sha256:16 -L new.policy
    stale() {
        tpm2 policypcr -Q -S session.ctx -l sha256:16
        refused 1C4 policyauthorize -S session.ctx -i old.policy -n authority.name -t old.ticket
    }
    within stale
    approve new
    within open new
}

a_policy_kept_in_nv_opens_a_seal() {
    make_primary
    try_policy tpm2 policypcr -Q -S trial.ctx -l sha256:16 -L pcr.policy
    tpm2 nvdefine -Q -C o -s 34 -a 'ownerread|ownerwrite|policywrite|authread|authwrite' 0x1500010
    { printf '\000\013'; cat pcr.policy; } | tpm2 nvwrite -Q -C o -i - 0x1500010
    try_policy tpm2 policyauthorizenv -Q -S trial.ctx -C o -L policy 0x1500010
    seal sealed data -L policy
    open() {
        tpm2 policypcr -Q -S session.ctx -l sha256:16
        tpm2 policyauthorizenv -Q -S session.ctx -C o 0x1500010
        unseal sealed data
    }
    within open
    tpm2 pcrextend 16:sha256="$(printf '%064d' 1)"
    stale() {
        tpm2 policypcr -Q -S session.ctx -l sha256:16
        refused 84 policyauthorizenv -S session.ctx -C o 0x1500010
    }
    within stale
}

the_contents_of_nv_open_a_seal() {
    make_primary
    tpm2 nvdefine -Q -C o -s 1 -a 'ownerread|ownerwrite|authread' 0x1500011
    printf '\005' | tpm2 nvwrite -Q -C o -i - 0x1500011
    nv() { printf '\003' | tpm2 policynv -Q -S "$1.ctx" -C o -i - -L policy 0x1500011 ugt; }
    try_policy nv trial
    seal sealed data -L policy
    open() {
        nv session
        unseal sealed data
    }
    within open
    printf '\002' | tpm2 nvwrite -Q -C o -i - 0x1500011
    printf '\003' >operand
    less() { refused 126 policynv -S session.ctx -C o -i operand 0x1500011 ugt; }
    within less
}

one_command_only_is_let_through() {
    make_primary
    try_policy tpm2 policycommandcode -Q -S trial.ctx -L policy TPM2_CC_Unseal
    seal sealed data -L policy
    open() {
        tpm2 policycommandcode -Q -S session.ctx TPM2_CC_Unseal
        unseal sealed data
    }
    within open
    make_key key ecc -L policy -a 'fixedtpm|fixedparent|sensitivedataorigin|sign'
    printf data >data
    another() {
        tpm2 policycommandcode -Q -S session.ctx TPM2_CC_Unseal
        refused 9A4 sign -c key.ctx -p session:session.ctx -o signature data
    }
    within another
}

a_policy_may_want_the_password() {
    make_primary
    for policy in policypassword policyauthvalue; do
        try_policy tpm2 "$policy" -Q -S trial.ctx -L policy
        seal sealed data -L policy -p password
        open() {
            tpm2 "$policy" -Q -S session.ctx
            unseal sealed data +password
        }
        within open
        wrong() {
            tpm2 "$policy" -Q -S session.ctx
            refused 98E unseal -c sealed.ctx -p session:session.ctx+wrong
        }
        within wrong
    done
}

a_key_is_duplicated_to_the_chosen_parent_only() {
    make_primary
    tpm2 createprimary -Q -C o -G ecc -c chosen.ctx
    tpm2 createprimary -Q -C e -G ecc -c another.ctx
    tpm2 readpublic -Q -c chosen.ctx -n chosen.name
    try_policy tpm2 policyduplicationselect -Q -S trial.ctx -N chosen.name -L policy
    make_key key ecc -L policy -a 'sensitivedataorigin|sign'
    tpm2 readpublic -Q -c key.ctx -n key.name
    duplicate_to() {
        tpm2 policyduplicationselect -Q -S session.ctx -n key.name -N chosen.name
        "$@" duplicate -C "$parent.ctx" -c key.ctx -G null -p session:session.ctx -r dup.priv -s dup.seed
    }
    parent=chosen
    within duplicate_to tpm2
    parent=another
    within duplicate_to refused 99D
}

one_template_only_may_be_made() {
    tpm2 createprimary -Q -C o -G ecc -c template.ctx --template-data template
    openssl dgst -sha256 -binary -out template.hash template
    try_policy tpm2 policytemplate -Q -S trial.ctx --template-hash template.hash -L policy
    tpm2 setprimarypolicy -Q -C o -g sha256 -L policy
    tpm2 changeauth -Q -c o owner
    make() {
        tpm2 policytemplate -Q -S session.ctx --template-hash template.hash
        "$@" createprimary -C o -G "$algorithm" -c made.ctx -P session:session.ctx
    }
    algorithm=ecc
    within make tpm2
    algorithm=rsa
    within make refused 99D
}

a_seal_is_bound_to_locality_and_counters() {
    make_primary
    locality() { tpm2 policylocality -Q -S "$1.ctx" -L policy zero; }
    try_policy locality trial
    seal sealed data -L policy
    open() {
        "$@"
        unseal sealed data
    }
    within open locality session
    timer() { tpm2 policycountertimer -Q -S "$1.ctx" -L policy --uge resets=0; }
    try_policy timer trial
    seal sealed data -L policy
    within open timer session
}

# The tool lets go of the TPM in an exit handler.
a_command_is_held_to_its_parameters() {
    make_primary
    seal sealed data
    tpm2 unseal -c sealed.ctx --cphash unseal.cphash
    cphash() { tpm2 policycphash -Q -S "$1.ctx" -L policy --cphash unseal.cphash; }
    try_policy cphash trial
    seal bound data -L policy
    open() {
        cphash session
        refused 99D unseal -c bound.ctx -p session:session.ctx
    }
    within open
}

an_index_may_be_written_once() {
    try_policy tpm2 policynvwritten -Q -S trial.ctx -L policy c
    tpm2 nvdefine -Q -C o -s 4 -L policy -a 'ownerread|policywrite' 0x1500012
    printf abcd >data
    write() {
        tpm2 policynvwritten -Q -S session.ctx c
        "$@" nvwrite -P session:session.ctx -i data 0x1500012
    }
    within write tpm2
    within write refused 99D
}

a_session_is_restarted_and_its_digest_read() {
    tpm2 startauthsession -S session.ctx --policy-session
    tpm2 getpolicydigest -S session.ctx -o empty
    tpm2 policycommandcode -Q -S session.ctx TPM2_CC_Sign
    tpm2 getpolicydigest -S session.ctx -o used
    tpm2 policyrestart -S session.ctx
    tpm2 getpolicydigest -S session.ctx -o again
    cmp empty again
    if cmp -s empty used; then return 1; fi
    tpm2 flushcontext session.ctx
}

a_salted_session_hides_its_parameters() {
    make_primary
    tpm2 startauthsession -S session.ctx --hmac-session -c primary.ctx
    tpm2 sessionconfig -Q session.ctx --enable-decrypt --enable-encrypt
    printf data >sealed.secret
    tpm2 create -Q -C primary.ctx -P session:session.ctx -i sealed.secret -u s.pub -r s.priv -p pass
    tpm2 load -Q -C primary.ctx -u s.pub -r s.priv -c s.ctx
    same "$(tpm2 unseal -c s.ctx -p session:session.ctx+pass)" data
    tpm2 flushcontext session.ctx
}

sessions_audit_commands() {
    make_primary
    tpm2 createek -Q -G ecc -c ek.ctx -u ek.pub
    tpm2 createak -Q -C ek.ctx -G ecc -g sha256 -s ecdsa -c ak.ctx
    tpm2 startauthsession -S session.ctx --audit-session
    tpm2 getrandom -Q 8 --hex -S session.ctx >/dev/null
    tpm2 getsessionauditdigest -S session.ctx -c ak.ctx -m message -s signature -g sha256
    tpm2 flushcontext session.ctx
}
