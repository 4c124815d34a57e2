#include "emulator/cli/cli.h"

#include "emulator/cli/issuer_options.h"
#include "emulator/cli/renew.h"
#include "emulator/cli/snapshot.h"
#include "emulator/cli/target.h"
#include "emulator/error.h"

#include <stdio.h>

#define CA_FILE_MAX 65536

/* The CA vouches for the copy's keys too, as they are the same. */
static TSS2_RC copy_ca(const char *from, const struct directory *to)
{
    __attribute__((cleanup(directory_close))) struct directory directory = DIRECTORY_CLOSED;
    BLOB_SCOPE struct blob certificate = {NULL, 0};
    TSS2_RC rc = directory_open(from, &directory);

    if (rc == TSS2_RC_SUCCESS)
        rc = directory_read(&directory, EK_CA_FILE, CA_FILE_MAX, &certificate);
    if (rc != TSS2_RC_SUCCESS || !certificate.data)
        return rc;
    return directory_replace(to, EK_CA_FILE, &certificate);
}

static TSS2_RC copy_same(const char *from, const char *to)
{
    SNAPSHOT_SCOPE struct snapshot snapshot = {.others = 0};
    TARGET_SCOPE struct directory directory = DIRECTORY_CLOSED;
    TSS2_RC rc = snapshot_take(from, &snapshot);

    if (rc == TSS2_RC_SUCCESS)
        rc = target_open(to, false, &directory);
    if (rc == TSS2_RC_SUCCESS)
        rc = copy_ca(from, &directory);
    return rc == TSS2_RC_SUCCESS ? target_write_running(&directory, &snapshot.state) : rc;
}

static TSS2_RC copy_renewed(const char *from, const char *to, struct ek_order *order,
                            struct left_behind *ret)
{
    SNAPSHOT_SCOPE struct snapshot snapshot = {.others = 0};
    TARGET_SCOPE struct directory directory = DIRECTORY_CLOSED;
    BLOB_SCOPE struct blob permanent = {NULL, 0};
    BLOB_SCOPE struct blob renewed = {NULL, 0};
    TSS2_RC rc = snapshot_take(from, &snapshot);

    if (rc == TSS2_RC_SUCCESS)
        rc = snapshot_shut_down(&snapshot, &permanent);
    if (rc == TSS2_RC_SUCCESS)
        rc = target_open(to, false, &directory);
    if (rc == TSS2_RC_SUCCESS)
        rc = renew(&permanent, &directory, order, &renewed, ret);
    return rc == TSS2_RC_SUCCESS ? target_write(&directory, &renewed) : rc;
}

static void print_handles(const char *what, const struct handle_list *list)
{
    (void)printf("  %s:", what);
    for (size_t i = 0; i < list->count; i++)
        (void)printf(" 0x%08x", list->handles[i]);
    (void)printf("%s\n", list->count ? "" : " none");
}

static void print_left_behind(const char *from, const struct left_behind *left)
{
    (void)printf("left behind in %s:\n", from);
    print_handles("persistent keys", &left->persistent);
    print_handles("NV indexes", &left->nv);
    (void)printf("  authorisations and policies of the owner, the endorsement hierarchy, the\n"
                 "  platform and the lockout; all keys and saved contexts of its hierarchies\n");
}

static enum cli_status copy(const char *from, const char *to, bool new_seed, struct ek_order *order)
{
    struct left_behind left;

    if (!new_seed) {
        if (copy_same(from, to) != TSS2_RC_SUCCESS)
            return cli_failed();
        (void)printf("%s: the TPM of %s once more, with the same keys\n", to, from);
        return CLI_DONE;
    }
    if (copy_renewed(from, to, order, &left) != TSS2_RC_SUCCESS)
        return cli_failed();
    (void)printf("%s: a TPM with the settings of %s, seeds of its own, and %s\n", to, from,
                 order->none ? "no endorsement certificates, as there"
                             : "new endorsement certificates");
    print_left_behind(from, &left);
    return CLI_DONE;
}

enum cli_status copy_run(const struct cli_command *command, int argc, char **argv)
{
    struct ek_order order = {.none = false};
    bool new_seed = false;
    const struct cli_option options[] = {
        {"new-seed", &new_seed, NULL},
        {"ca-key", NULL, &order.ca_key},
        {"ca-certificate", NULL, &order.ca_certificate},
        {NULL, NULL, NULL},
    };
    struct cli_operands operands;
    char from[PATH_MAX], to[PATH_MAX];
    enum cli_status status = cli_parse(command, argc, argv, options, 2, 2, &operands);

    if (status == CLI_DONE)
        status = issuer_options_check(command, &order);
    if (status != CLI_DONE)
        return status;
    if (order.ca_key && !new_seed)
        return cli_usage(command, "a copy with the same seeds has the same certificates; a CA "
                                  "needs --new-seed");
    if (cli_directory(&operands, 0, from) != TSS2_RC_SUCCESS ||
        cli_directory(&operands, 1, to) != TSS2_RC_SUCCESS)
        return cli_failed();
    return copy(from, to, new_seed, &order);
}
