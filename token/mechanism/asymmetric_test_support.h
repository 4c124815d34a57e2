/* What the tests of key pairs share: keys of each kind, and jobs with them. */
#ifndef SIGNET_MECHANISM_ASYMMETRIC_TEST_SUPPORT_H
#define SIGNET_MECHANISM_ASYMMETRIC_TEST_SUPPORT_H

#include "token/base/test_support.h"

#include "token/key/material.h"
#include "token/mechanism/job.h"

static struct key_material rsa, ec, ed;

static UNUSED int open_key(const char *path, struct key_material *material)
{
    struct bytes content = read_file(path);
    struct reason reason = {0};
    const struct key_description description = {
        .private_key = {.path = path, .content = bytes_view(&content)}};
    CK_RV rv = key_material_open(&description, material, &reason);
    bytes_free(&content);
    return rv == CKR_OK ? 0 : -1;
}

static UNUSED int begin_group(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    run("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key &&"
        "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.key &&"
        "openssl genpkey -algorithm ED25519 -out ed.key");
    return open_key("rsa.key", &rsa) | open_key("ec.key", &ec) | open_key("ed.key", &ed);
}

static UNUSED int end_group(void **state)
{
    key_material_clear(&rsa);
    key_material_clear(&ec);
    key_material_clear(&ed);
    return leave_directory(state);
}

static UNUSED const struct key_material *material_of(CK_MECHANISM_TYPE type)
{
    switch (mechanism_find(type)->algorithm) {
    case KEY_ALGORITHM_EC:
        return &ec;
    case KEY_ALGORITHM_EDWARDS:
        return &ed;
    default:
        return &rsa;
    }
}

static UNUSED CK_RV begin_with(CK_MECHANISM_TYPE type, CK_FLAGS operation, void *parameter,
                               CK_ULONG size, struct job **ret_job)
{
    const struct mechanism *row = mechanism_find(type);
    const CK_MECHANISM given = {type, parameter, size};
    const struct key_material *material = material_of(type);
    bool private = operation & (CKF_SIGN | CKF_DECRYPT | CKF_SIGN_RECOVER);
    assert_non_null(row);
    return job_new(row, operation, &given, private ? material->key : NULL,
                   operation == CKF_DIGEST ? NULL : &material->public_key, ret_job);
}

static UNUSED struct job *begin(CK_MECHANISM_TYPE type, CK_FLAGS operation)
{
    CK_RSA_PKCS_PSS_PARAMS pss = {CKM_SHA256, CKG_MGF1_SHA256, 32};
    CK_RSA_PKCS_OAEP_PARAMS oaep = {CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0};
    bool is_pss = mechanism_find(type)->kind == SCHEME_RSA_PSS &&
                  mechanism_find(type)->algorithm == KEY_ALGORITHM_RSA;
    bool is_oaep = type == CKM_RSA_PKCS_OAEP;
    struct job *job = NULL;
    assert_ok(begin_with(type, operation,
                         is_pss    ? (void *)&pss
                         : is_oaep ? (void *)&oaep
                                   : NULL,
                         is_pss    ? sizeof(pss)
                         : is_oaep ? sizeof(oaep)
                                   : 0,
                         &job));
    return job;
}

/* What has no output before the end. */
static UNUSED CK_RV feed(struct job *job, struct view input)
{
    struct bytes nothing = {0};
    bool exact = false;
    assert_int_equal(job_output_size(job, input.size, false, &exact), 0);
    assert_true(exact);
    CK_RV rv = job_update(job, input, &nothing);
    assert_int_equal(nothing.size, 0);
    return rv;
}

#endif
