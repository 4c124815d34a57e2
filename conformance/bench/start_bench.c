/* How long a new process takes from dlopen to its first signature, and to the
 * list of all objects. SIGNET_CONF names the configuration.
 *     start_bench sign MODULE TOKEN [SIGNATURES]   one process: its times in µs
 *     start_bench list MODULE
 *     start_bench times N sign|list …              N processes, one after the other
 * A line of times is: the sum, then dlopen, C_Initialize, finding the objects,
 * signing; `times` gives the medians, and last the whole process as its parent
 * sees it, from fork to exit. */
#include <link.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance/bench/bench.h"

enum { SUM, LOAD, INITIALIZE, FIND, SIGN, WHOLE, TIMES };

#define OWN_TIMES WHOLE /* those that a process tells of itself */
#define MAX_PROCESSES 10000

/* Libraries that this program brought along would not be counted. */
static int is_loaded_library(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    (void)data;
    if (strstr(info->dlpi_name, "libcrypto") || strstr(info->dlpi_name, "libtss2"))
        give_up("%s is linked to this program: link with -Wl,--as-needed", info->dlpi_name);
    return 0;
}

static void read_object(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    CK_OBJECT_CLASS class;
    CK_BYTE label[64], id[64];
    CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &class, sizeof(class)},
                                 {CKA_LABEL, label, sizeof(label)},
                                 {CKA_ID, id, sizeof(id)}};
    CK_RV rv = p11->C_GetAttributeValue(session, object, attributes, COUNT_OF(attributes));

    if (rv != CKR_OK && rv != CKR_ATTRIBUTE_TYPE_INVALID) /* a profile has no id */
        give_up("C_GetAttributeValue: 0x%lx", rv);
}

static CK_ULONG list_token(CK_SLOT_ID slot)
{
    CK_SESSION_HANDLE session = open_session(slot);
    CK_OBJECT_HANDLE objects[64];
    CK_ULONG count = 0;

    MUST(p11->C_FindObjectsInit(session, NULL, 0));
    MUST(p11->C_FindObjects(session, objects, COUNT_OF(objects), &count));
    MUST(p11->C_FindObjectsFinal(session));
    for (CK_ULONG i = 0; i < count; i++)
        read_object(session, objects[i]);
    return count;
}

static void list_all(void)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG count = list_slots(slots), objects = 0;
    CK_TOKEN_INFO info;

    for (CK_ULONG i = 0; i < count; i++) {
        MUST(p11->C_GetTokenInfo(slots[i], &info));
        objects += list_token(slots[i]);
    }
    if (count < 2 || objects < 3 * count)
        give_up("only %lu objects in %lu tokens", objects, count);
}

/* argv: what, MODULE, TOKEN, SIGNATURES */
static void measure_once(char **argv, double times[OWN_TIMES])
{
    double at[TIMES];
    unsigned count = strcmp(argv[0], "sign") != 0 ? 0 : argv[3] ? (unsigned)atoi(argv[3]) : 1;
    struct signer signer;

    dl_iterate_phdr(is_loaded_library, NULL);
    at[SUM] = microseconds();
    load_module(argv[1]);
    at[LOAD] = microseconds();
    MUST(p11->C_Initialize(NULL));
    at[INITIALIZE] = microseconds();
    if (count)
        signer = signer_open(argv[2]);
    else
        list_all();
    at[FIND] = microseconds();
    for (unsigned i = 0; i < count; i++)
        signer_sign(&signer);
    at[SIGN] = microseconds();
    times[SUM] = at[SIGN] - at[SUM];
    for (int i = LOAD; i < OWN_TIMES; i++)
        times[i] = at[i] - at[i - 1];
    p11->C_Finalize(NULL);
}

static void print_times(const double *times, int count)
{
    for (int i = 0; i < count; i++)
        printf("%s%.1f", i ? " " : "", times[i]);
    printf("\n");
}

static pid_t start_process(char **argv, int output)
{
    pid_t pid = fork();

    if (pid < 0)
        give_up("no new process");
    if (pid == 0) {
        dup2(output, STDOUT_FILENO);
        execv("/proc/self/exe", argv);
        _exit(127);
    }
    return pid;
}

static void measure_process(char **argv, double times[TIMES])
{
    double begin = microseconds();
    char line[256];
    int ends[2], status;
    FILE *answer;
    pid_t pid;

    if (pipe(ends) != 0)
        give_up("no pipe");
    pid = start_process(argv, ends[1]);
    close(ends[1]);
    answer = fdopen(ends[0], "r");
    if (!answer || !fgets(line, sizeof(line), answer))
        give_up("a process gave no times");
    fclose(answer);
    if (waitpid(pid, &status, 0) != pid || status != 0)
        give_up("a process ended badly");
    times[WHOLE] = microseconds() - begin;
    if (sscanf(line, "%lf %lf %lf %lf %lf", &times[SUM], &times[LOAD], &times[INITIALIZE],
               &times[FIND], &times[SIGN]) != OWN_TIMES)
        give_up("not times: %s", line);
}

static void measure_processes(size_t count, char **argv)
{
    static double all[TIMES][MAX_PROCESSES];
    double times[TIMES];

    if (count < 1 || count > MAX_PROCESSES)
        give_up("1 to %d processes", MAX_PROCESSES);
    for (size_t i = 0; i < count; i++) {
        measure_process(argv, times);
        for (int j = 0; j < TIMES; j++)
            all[j][i] = times[j];
    }
    for (int j = 0; j < TIMES; j++)
        times[j] = median(all[j], count);
    print_times(times, TIMES);
}

int main(int argc, char **argv)
{
    double times[OWN_TIMES];

    if (argc >= 5 && strcmp(argv[1], "times") == 0) {
        size_t count = (size_t)atoi(argv[2]);

        argv[2] = argv[0];
        measure_processes(count, argv + 2);
        return 0;
    }
    if (argc < 3 || (strcmp(argv[1], "list") != 0 && (strcmp(argv[1], "sign") != 0 || argc < 4)))
        give_up("usage: start_bench [times N] sign MODULE TOKEN [SIGNATURES] | list MODULE");
    measure_once(argv + 1, times);
    print_times(times, OWN_TIMES);
    return 0;
}
