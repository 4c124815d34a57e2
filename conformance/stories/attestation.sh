# What the TPM says under its signature, and credentials.

# attester ALGORITHM SCHEME: ek.ctx, ak.ctx
attester() {
    tpm2 createek -Q -G "$1" -c ek.ctx -u ek.pub
    tpm2 createak -Q -C ek.ctx -G "$1" -g sha256 -s "$2" -c ak.ctx -u ak.pem -f pem -n ak.name
}

attested() { openssl dgst -sha256 -verify ak.pem -signature signature message >/dev/null; }

quotes_are_checked() {
    for keys in 'rsa rsassa' 'ecc ecdsa'; do
        # shellcheck disable=SC2086
        attester $keys
        tpm2 quote -Q -c ak.ctx -l sha1:1,2+sha256:0,16,23 -q abcdef -m message -s signature -o pcrs -g sha256
        tpm2 checkquote -Q -u ak.pem -m message -s signature -f pcrs -q abcdef -g sha256
        rejected checkquote -u ak.pem -m message -s signature -f pcrs -q abcde0 -g sha256
    done
    tpm2 pcrextend 16:sha256="$(printf '%064d' 1)"
    cp pcrs old
    tpm2 quote -Q -c ak.ctx -l sha1:1,2+sha256:0,16,23 -q abcdef -m message -s signature -o pcrs -g sha256
    rejected checkquote -u ak.pem -m message -s signature -f old -q abcdef -g sha256
    tpm2 print -t TPMS_ATTEST message >printed
    contains printed 'type: 8018'
}

keys_and_their_making_are_certified() {
    attester ecc ecdsa
    tpm2 createprimary -Q -C o -G ecc -c key.ctx -q abcd -d creation.hash -t creation.ticket
    tpm2 certify -Q -c key.ctx -C ak.ctx -g sha256 -f plain -o message -s signature
    attested
    tpm2 certifycreation -Q -c key.ctx -C ak.ctx -d creation.hash -t creation.ticket -g sha256 \
        -f plain -o signature --attestation message
    attested
    tpm2 createprimary -Q -C o -G rsa -c another.ctx -d another.hash
    refused 4E0 certifycreation -c key.ctx -C ak.ctx -d another.hash -t creation.ticket -g sha256 \
        -o signature --attestation message
}

nv_is_certified() {
    attester ecc ecdsa
    tpm2 nvdefine -Q -C o -s 16 -a 'ownerread|ownerwrite|authread|authwrite' 0x1500030
    printf 0123456789abcdef | tpm2 nvwrite -Q -C o -i - 0x1500030
    tpm2 nvcertify -Q -C ak.ctx -c o -g sha256 -f plain -s ecdsa --size 8 --offset 4 \
        -o signature --attestation message 0x1500030
    attested
    contains message 456789ab
}

time_is_attested() {
    attester ecc ecdsa
    tpm2 gettime -Q -c ak.ctx -g sha256 -f plain -o signature --attestation message -q abcd
    attested
    tpm2 readclock >clock
    contains clock 'clock: [0-9]+'
    contains clock 'safe: (yes|no)'
}

a_credential_is_for_one_key_of_one_tpm() {
    attester ecc ecdsa
    printf credential >secret
    tpm2 makecredential -Q -T none -u ek.pub -s secret -n "$(od -An -v -tx1 ak.name | tr -d ' \n')" \
        -o credential.blob
    activate() {
        tpm2 policysecret -Q -S session.ctx -c e
        "$@" activatecredential -c ak.ctx -C ek.ctx -i credential.blob -o again -P session:session.ctx
    }
    within activate tpm2 >/dev/null
    cmp secret again
    tpm2 createprimary -Q -C e -G ecc -c ak.ctx
    within activate refused 1DF
}

command_audits_are_signed() {
    attester ecc ecdsa
    tpm2 setcommandauditstatus -Q -C o TPM2_CC_GetRandom
    tpm2 getrandom --hex 8 >/dev/null
    tpm2 getcommandauditdigest -Q -c ak.ctx -g sha256 -f plain -s signature -m message
    attested
    tpm2 setcommandauditstatus -Q -C o --clear-list TPM2_CC_GetRandom
}

# The maker of the TPM puts a certificate for each endorsement key into NV.
the_endorsement_keys_have_certificates() {
    tpm2 getekcertificate -X -o rsa.crt -o ecc.crt
    for algorithm in rsa ecc; do
        openssl x509 -inform der -in $algorithm.crt -noout -pubkey >certified.pem
        tpm2 createek -Q -G $algorithm -c ek.ctx -u ek.pem -f pem
        cmp certified.pem ek.pem
    done
}
