#include "emulator/behaviour/profile_print.h"

#include "emulator/behaviour/timing.h"
#include "emulator/names.h"

#include <stdarg.h>
#include <string.h>
#include <tss2/tss2_tpm2_types.h>

#define ROW "%-14s %-4s %-15s %9s %9s %9s %9s\n"
#define WRAP 96
#define INDENT 12

static const enum time_kind columns[] = {TIME_SIGN_ECC, TIME_SIGN_RSA, TIME_CREATE_RSA,
                                         TIME_GET_RANDOM};

struct named {
    uint16_t value;
    const char *name;
};

/* What is worth a word if a chip does not have it. */
static const struct named algorithms[] = {
    {TPM2_ALG_SHA384, "SHA-384"}, {TPM2_ALG_SHA512, "SHA-512"}, {TPM2_ALG_CMAC, "CMAC"},
    {TPM2_ALG_ECDAA, "ECDAA"},    {TPM2_ALG_CTR, "AES-CTR"},    {TPM2_ALG_OFB, "AES-OFB"},
    {TPM2_ALG_CBC, "AES-CBC"},    {TPM2_ALG_ECB, "AES-ECB"},
};
static const struct named curves[] = {
    {TPM2_ECC_NIST_P384, "P-384"},
    {TPM2_ECC_NIST_P521, "P-521"},
    {TPM2_ECC_BN_P256, "BN-P256"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A list in lines of at most WRAP columns. */
struct paragraph {
    FILE *file;
    size_t column;
};

static void start_paragraph(struct paragraph *paragraph, const char *title)
{
    (void)fprintf(paragraph->file, "  %-*s", INDENT - 2, title);
    paragraph->column = INDENT;
}

__attribute__((format(printf, 2, 3))) static void add_words(struct paragraph *paragraph,
                                                            const char *format, ...)
{
    char words[96];
    va_list arguments;
    size_t length;

    va_start(arguments, format);
    (void)vsnprintf(words, sizeof(words), format, arguments);
    va_end(arguments);
    length = strlen(words);
    if (paragraph->column > INDENT && paragraph->column + 2 + length > WRAP) {
        (void)fprintf(paragraph->file, ",\n%*s", INDENT, "");
        paragraph->column = INDENT;
    } else if (paragraph->column > INDENT) {
        (void)fprintf(paragraph->file, ", ");
        paragraph->column += 2;
    }
    (void)fprintf(paragraph->file, "%s", words);
    paragraph->column += length;
}

static void add_missing(struct paragraph *paragraph, const uint16_t *list,
                        const struct named *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!profile_list_holds(list, names[i].value))
            add_words(paragraph, "no %s", names[i].name);
}

static void add_sizes(struct paragraph *paragraph, const char *name, const uint16_t *list)
{
    char sizes[64] = "";
    size_t length = 0;

    for (; list && *list && length < sizeof(sizes); list++)
        length += (size_t)snprintf(sizes + length, sizeof(sizes) - length, "%s%u",
                                   length ? "/" : "", (unsigned)*list);
    if (length)
        add_words(paragraph, "%s %s", name, sizes);
}

static void add_algorithms(struct paragraph *paragraph, const struct profile *profile)
{
    add_sizes(paragraph, "RSA", profile->rsa_bits);
    add_sizes(paragraph, "AES", profile->aes_bits);
    add_missing(paragraph, profile->curves, curves, COUNT(curves));
    add_missing(paragraph, profile->algorithms, algorithms, COUNT(algorithms));
    for (const uint32_t *at = profile->absent_commands; at && *at; at++)
        if (command_name(*at))
            add_words(paragraph, "no %s", command_name(*at));
}

static void add_room(struct paragraph *paragraph, const struct profile *profile)
{
    if (profile->message_size)
        add_words(paragraph, "commands up to %u bytes", profile->message_size);
    if (profile->nv_index_size)
        add_words(paragraph, "NV indexes up to %u bytes", profile->nv_index_size);
    if (profile->nv_piece_size)
        add_words(paragraph, "%u at a time", profile->nv_piece_size);
    if (profile->nv_room)
        add_words(paragraph, "%u in all", profile->nv_room);
    if (profile->persistent)
        add_words(paragraph, "%u persistent objects", profile->persistent);
    if (profile->objects)
        add_words(paragraph, "%u transient ones", profile->objects);
    if (profile->sessions)
        add_words(paragraph, "%u loaded sessions", profile->sessions);
    if (profile->context_gap)
        add_words(paragraph, "context gap %u", profile->context_gap);
    if (profile->lockout.max_tries)
        add_words(paragraph, "lockout after %u tries", profile->lockout.max_tries);
    if (profile->retries)
        add_words(paragraph, "RETRY to the first of each command");
}

static void add_text(struct paragraph *paragraph, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, " ");

        if (paragraph->column > INDENT && paragraph->column + 1 + length > WRAP) {
            (void)fprintf(paragraph->file, "\n%*s", INDENT, "");
            paragraph->column = INDENT;
        }
        paragraph->column += (size_t)fprintf(
            paragraph->file, "%s%.*s", paragraph->column > INDENT ? " " : "", (int)length, text);
        text += length + (text[length] == ' ');
    }
}

/* "12.3", "~ 370", "-" */
static void format_time(const struct figure *figure, char ret[16])
{
    struct distribution distribution;
    const char *sign = figure->origin == FIGURE_ESTIMATE ? "~" : "";
    double median;

    if (figure->origin == FIGURE_NONE) {
        (void)snprintf(ret, 16, "-");
        return;
    }
    distribution_fit(figure, &distribution);
    median = distribution_median(&distribution);
    (void)snprintf(ret, 16, median < 100 ? "%s%.1f" : "%s%.0f", sign, median);
}

static void format_firmware(const struct profile *profile, char ret[32])
{
    if (profile->firmware[0] == 0)
        (void)snprintf(ret, 32, "-");
    else
        (void)snprintf(ret, 32, "%u.%u.%u.%u", profile->firmware[0] >> 16,
                       profile->firmware[0] & 0xffff, profile->firmware[1] >> 16,
                       profile->firmware[1] & 0xffff);
}

static void format_manufacturer(const struct profile *profile, char ret[5])
{
    for (int i = 0; i < 4; i++)
        ret[i] = (char)(profile->manufacturer >> (24 - 8 * i));
    ret[4] = '\0';
    if (ret[0] == '\0')
        (void)snprintf(ret, 5, "-");
}

static void print_profile(FILE *file, const struct profile *profile)
{
    struct paragraph paragraph = {file, 0};
    char manufacturer[5], firmware[32], times[COUNT(columns)][16];

    format_manufacturer(profile, manufacturer);
    format_firmware(profile, firmware);
    for (size_t i = 0; i < COUNT(columns); i++)
        format_time(timing_figure(profile, columns[i]), times[i]);
    (void)fprintf(file, ROW, profile->name, manufacturer, firmware, times[0], times[1], times[2],
                  times[3]);
    start_paragraph(&paragraph, "chip");
    add_text(&paragraph, profile->title);
    (void)fputc('\n', file);
    start_paragraph(&paragraph, "limits");
    add_algorithms(&paragraph, profile);
    add_room(&paragraph, profile);
    (void)fputc('\n', file);
    start_paragraph(&paragraph, "source");
    add_text(&paragraph, profile->source);
    (void)fputs("\n\n", file);
}

int profiles_print(FILE *file)
{
    (void)fprintf(file, ROW, "PROFILE", "ID", "FIRMWARE", "P-256", "RSA-2048", "RSA-2048",
                  "GetRandom");
    (void)fprintf(file, ROW "\n", "", "", "", "sign ms", "sign ms", "create ms", "ms");
    for (size_t i = 0; i < profiles_count; i++)
        print_profile(file, profiles[i]);
    (void)fputs("Times are medians. ~ an estimate; no figures are published for CreatePrimary,\n"
                "Load, Unseal, StartAuthSession and commands that change NV: all of those are\n"
                "estimated by commands alike. Limits above those of libtpms are not reached.\n",
                file);
    return fflush(file) == 0 && !ferror(file) ? 0 : -1;
}
