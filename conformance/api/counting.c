#include "conformance/api/counting.h"

#include <unistd.h>

static long forgotten; /* how far the log is read */

void counting_or_skip(void)
{
    if (!getenv("COUNT_TCTI_LOG") || !getenv("COUNT_TCTI_FAULTS"))
        skip_because("COUNT_TCTI_LOG and COUNT_TCTI_FAULTS are not set");
    forget_commands();
}

static FILE *open_log(void)
{
    FILE *log = fopen(getenv("COUNT_TCTI_LOG"), "r");

    if (log)
        fseek(log, forgotten, SEEK_SET);
    return log;
}

void forget_commands(void)
{
    FILE *log = fopen(getenv("COUNT_TCTI_LOG"), "r");

    forgotten = 0;
    if (!log)
        return;
    fseek(log, 0, SEEK_END);
    forgotten = ftell(log);
    fclose(log);
}

unsigned commands_sent(void)
{
    FILE *log = open_log();
    char line[128];
    unsigned count = 0;

    while (log && fgets(line, sizeof(line), log))
        count++;
    if (log)
        fclose(log);
    return count;
}

const char *command_codes(void)
{
    static char codes[512];
    FILE *log = open_log();
    char line[128];
    size_t length = 0;

    codes[0] = '\0';
    while (log && fgets(line, sizeof(line), log) && length < sizeof(codes) - 16)
        length += (size_t)snprintf(codes + length, 16, "%lx ", strtoul(line, NULL, 16));
    if (log)
        fclose(log);
    return codes;
}

void inject(const char *lines)
{
    static unsigned version;
    const char *path = getenv("COUNT_TCTI_FAULTS");
    char temporary[4096];
    FILE *file;

    snprintf(temporary, sizeof(temporary), "%s.new", path);
    file = fopen(temporary, "w");
    assert_non_null(file);
    fprintf(file, "# %u of process %d\n%s\n", ++version, (int)getpid(), lines);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(temporary, path), 0);
}

void inject_nothing(void)
{
    inject("");
}

CK_RV sign_with(struct token *token, CK_MECHANISM_TYPE type)
{
    const struct scheme *scheme = scheme_of(type);
    CK_RSA_PKCS_PSS_PARAMS params;
    CK_MECHANISM mechanism = scheme_mechanism(scheme, &params);
    unsigned char data[MAX_VALUE], signature[1024];
    size_t length = scheme_data(scheme, token, data);
    CK_ULONG signature_length = sizeof(signature);
    CK_RV rv = p11->C_SignInit(token->session, &mechanism, token->private_key);

    if (rv == CKR_OK)
        rv = p11->C_Sign(token->session, data, length, signature, &signature_length);
    if (rv == CKR_OK)
        assert_true(openssl_verifies(token, &mechanism, data, length, signature, signature_length));
    return rv;
}

void start_anew(void)
{
    CK_RV rv = p11->C_Finalize(NULL);

    assert_rv(rv, CKR_OK, CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_ok(initialise());
}
