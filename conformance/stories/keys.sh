# Keys: made, loaded, imported, duplicated, and used.

check_signing() {
    scheme=$1 options=$2
    printf data >data
    tpm2 sign -Q -c key.ctx -g sha256 -s "$scheme" -o signature data
    tpm2 verifysignature -Q -c key.ctx -g sha256 -m data -s signature
    printf other >wrong
    refused 2DB verifysignature -c key.ctx -g sha256 -m wrong -s signature
    tpm2 readpublic -Q -c key.ctx -f pem -o key.pem
    tpm2 sign -Q -c key.ctx -g sha256 -s "$scheme" -f plain -o signature.plain data
    # shellcheck disable=SC2086
    openssl dgst -sha256 -verify key.pem $options -signature signature.plain data >/dev/null
}

an_rsa_key_signs_in_both_schemes() {
    make_primary
    make_key key rsa2048
    check_signing rsassa ""
    check_signing rsapss "-sigopt rsa_padding_mode:pss"
}

ecc_keys_of_all_curves_sign() {
    make_primary -G ecc
    for curve in ecc256 ecc384 ecc521; do
        make_key key $curve
        check_signing ecdsa ""
    done
}

a_key_wants_its_password() {
    make_primary
    make_key key ecc -p secret
    printf data >data
    tpm2 sign -Q -c key.ctx -p secret -o signature data
    refused 98E sign -c key.ctx -p wrong -o signature data
    refused 98E sign -c key.ctx -o signature data
    tpm2 changeauth -Q -C primary.ctx -c key.ctx -p secret -r key.priv new
    tpm2 load -Q -C primary.ctx -u key.pub -r key.priv -c key.ctx
    tpm2 sign -Q -c key.ctx -p new -o signature data
}

a_key_loads_under_its_own_parent_only() {
    make_primary
    make_key key ecc
    tpm2 createprimary -Q -G ecc -c another.ctx
    refused 1DF load -C another.ctx -u key.pub -r key.priv -c wrong.ctx
    make_key storage ecc -a 'restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth'
    tpm2 create -Q -C storage.ctx -G ecc -u child.pub -r child.priv -c child.ctx
    printf data >data
    tpm2 sign -Q -c child.ctx -o signature data
}

primaries_are_the_same_each_time() {
    for hierarchy in o e p; do
        tpm2 createprimary -Q -C $hierarchy -G ecc -c 1.ctx
        tpm2 createprimary -Q -C $hierarchy -G ecc -c 2.ctx
        tpm2 readpublic -Q -c 1.ctx -n 1.name
        tpm2 readpublic -Q -c 2.ctx -n 2.name
        cmp 1.name 2.name
        cp 1.name $hierarchy.name
    done
    if cmp -s o.name e.name || cmp -s e.name p.name; then return 1; fi
    tpm2 createprimary -Q -C n -c null.ctx
}

rsa_encrypts_and_decrypts() {
    make_primary
    make_key key rsa2048
    printf message >plain
    for scheme in rsaes oaep null; do
        [ $scheme != null ] || printf '%0256d' 7 >plain
        tpm2 rsaencrypt -Q -c key.ctx -s $scheme -o cipher plain
        tpm2 rsadecrypt -Q -c key.ctx -s $scheme -o again cipher
        cmp plain again
    done
}

ecdh_gives_both_sides_the_same_secret() {
    make_primary
    make_key key ecc256:ecdh
    tpm2 ecdhkeygen -u ephemeral.pub -o 1.secret -c key.ctx
    tpm2 ecdhzgen -u ephemeral.pub -o 2.secret -c key.ctx
    cmp 1.secret 2.secret
    tpm2 ecephemeral -u ephemeral.pub -t counter ecc256
    tpm2 geteccparameters -o parameters ecc256
    [ "$(wc -c <parameters)" -gt 100 ]
}

aes_encrypts_and_decrypts() {
    make_primary
    for mode in cfb cbc ctr ofb; do
        make_key key aes128$mode
        printf '%064d' 5 >plain
        printf '%016d' 9 >iv
        tpm2 encryptdecrypt -Q -c key.ctx -t iv -o cipher plain
        tpm2 encryptdecrypt -Q -d -c key.ctx -t iv -o again cipher
        cmp plain again
        if cmp -s plain cipher; then return 1; fi
    done
}

hashes_are_those_of_openssl() {
    head -c 5000 /dev/zero >long
    printf data >short
    for data in short long; do
        for hash in sha1 sha256 sha384 sha512; do
            same "$(tpm2 hash -g $hash --hex $data)" \
                "$(openssl dgst -$hash -r $data | cut -d ' ' -f 1)"
        done
    done
    tpm2 hash -Q -C o -g sha256 -o digest -t ticket short
    make_primary
    make_key r ecc:ecdsa-sha256:null \
        -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign|restricted'
    tpm2 sign -Q -c r.ctx -d -t ticket -o signature digest
    refused 3E0 sign -c r.ctx -d -o signature digest
}

hmacs_are_those_of_openssl() {
    make_primary
    printf 0123456789abcdef >key.bin
    tpm2 import -Q -C primary.ctx -G hmac -i key.bin -u h.pub -r h.priv
    tpm2 load -Q -C primary.ctx -u h.pub -r h.priv -c h.ctx
    head -c 5000 /dev/zero >long
    printf data >short
    for data in short long; do
        same "$(tpm2 hmac -c h.ctx --hex $data)" \
            "$(openssl dgst -sha256 -mac HMAC -macopt key:0123456789abcdef -r $data | cut -d ' ' -f 1)"
    done
}

software_keys_are_imported() {
    make_primary
    software_key ecc
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem
    scheme=ecdsa
    for algorithm in ecc rsa; do
        tpm2 import -Q -C primary.ctx -G $algorithm -i $algorithm.pem -u key.pub -r key.priv
        tpm2 load -Q -C primary.ctx -u key.pub -r key.priv -c key.ctx
        check_signing $scheme ""
        scheme=rsassa
        openssl pkey -in $algorithm.pem -pubout -out public.pem
        cmp public.pem key.pem
    done
    head -c 16 /dev/zero >aes.bin
    tpm2 import -Q -C primary.ctx -G aes -i aes.bin -u key.pub -r key.priv
    tpm2 load -Q -C primary.ctx -u key.pub -r key.priv -c key.ctx
}

public_and_private_keys_are_loaded_from_outside() {
    software_key key
    printf data >data
    openssl dgst -sha256 -sign key.pem -out signature data
    tpm2 loadexternal -Q -C o -G ecc -u key.public.pem -c public.ctx
    tpm2 verifysignature -Q -c public.ctx -g sha256 -m data -f ecdsa -s signature
    tpm2 loadexternal -Q -C n -G ecc -r key.pem -c private.ctx
    tpm2 sign -Q -c private.ctx -g sha256 -f plain -o signature data
    openssl dgst -sha256 -verify key.public.pem -signature signature data >/dev/null
    printf 0123456789abcdef >aes.bin
    tpm2 loadexternal -Q -G aes -r aes.bin -c aes.ctx
    refused 3C5 loadexternal -C o -G ecc -r key.pem -c wrong.ctx
}

# duplicable NAME: a key that PolicyCommandCode lets out, and its policy
duplicable() {
    try_policy tpm2 policycommandcode -Q -S trial.ctx -L policy TPM2_CC_Duplicate
    make_key "$1" ecc -L policy -a 'sensitivedataorigin|userwithauth|decrypt|sign'
}

a_key_is_duplicated_to_another_tpm() {
    make_primary
    duplicable key
    other createprimary -Q -C o -G ecc -c new-parent.ctx
    other readpublic -Q -c new-parent.ctx -o new-parent.pub
    tpm2 loadexternal -Q -C n -u new-parent.pub -c parent.ctx
    let_out() {
        tpm2 policycommandcode -Q -S session.ctx TPM2_CC_Duplicate
        tpm2 duplicate -Q -C parent.ctx -c key.ctx -G null -p session:session.ctx -r dup.priv -s dup.seed
    }
    within let_out
    other import -Q -C new-parent.ctx -u key.pub -i dup.priv -r new.priv -s dup.seed -L policy
    other load -Q -C new-parent.ctx -u key.pub -r new.priv -c new.ctx
    printf data >data
    other sign -Q -c new.ctx -o signature data
    tpm2 verifysignature -Q -c key.ctx -g sha256 -m data -s signature
    refused 124 duplicate -C parent.ctx -c key.ctx -G null -r x.priv -s x.seed
}

a_duplicate_may_have_an_inner_wrapper() {
    make_primary
    duplicable key
    tpm2 createprimary -Q -C o -G ecc -c parent.ctx
    head -c 16 /dev/urandom >inner
    let_out() {
        tpm2 policycommandcode -Q -S session.ctx TPM2_CC_Duplicate
        tpm2 duplicate -Q -C parent.ctx -c key.ctx -G aes -i inner -p session:session.ctx -r dup.priv -s dup.seed
    }
    within let_out
    tpm2 import -Q -C parent.ctx -u key.pub -i dup.priv -r new.priv -s dup.seed -k inner -L policy
    tpm2 load -Q -C parent.ctx -u key.pub -r new.priv -c new.ctx
    head -c 16 /dev/urandom >inner
    rejected import -C parent.ctx -u key.pub -i dup.priv -r new.priv -s dup.seed -k inner -L policy
}

a_key_is_made_persistent_and_removed() {
    make_primary
    make_key key ecc -p secret
    tpm2 evictcontrol -Q -C o -c key.ctx 0x81000005
    same "$(tpm2 getcap handles-persistent)" "- 0x81000005"
    printf data >data
    tpm2 sign -Q -c 0x81000005 -p secret -o signature data
    refused 14C evictcontrol -C o -c key.ctx 0x81000005
    tpm2 evictcontrol -Q -C o -c 0x81000005
    same "$(tpm2 getcap handles-persistent)" ""
    refused 18B readpublic -c 0x81000005
    refused 1CD evictcontrol -C o -c key.ctx 0x81800005
}

keys_of_the_endorsement_hierarchy_are_made() {
    for algorithm in rsa ecc; do
        tpm2 createek -Q -G $algorithm -c ek.ctx -u ek.pub
        scheme=rsassa
        [ $algorithm = rsa ] || scheme=ecdsa
        tpm2 createak -Q -C ek.ctx -G $algorithm -g sha256 -s $scheme -c ak.ctx -u ak.pub -n ak.name
        tpm2 createek -Q -G $algorithm -c again.ctx -u again.pub
        cmp ek.pub again.pub
    done
    tpm2 createek -Q -G ecc -c 0x81010001 -u persistent.pub
    cmp ek.pub persistent.pub
}
