#include "emulator/conf.h"

#include "emulator/error.h"

#include <errno.h>
#include <locale.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPEED_MIN 0.001
#define SPEED_MAX 1e6

/* A slice of the configuration string; not terminated. */
struct word {
    const char *start;
    size_t length;
};

static bool word_is(struct word word, const char *text)
{
    return strlen(text) == word.length && memcmp(word.start, text, word.length) == 0;
}

typedef TSS2_RC (*conf_setter)(struct conf *conf, size_t offset, const char *key,
                               struct word value);

static TSS2_RC refuse(const char *key, struct word value, const char *expected)
{
    error_set("configuration: '%s' is '%.*s'; expected: %s", key,
              (int)(value.length < 100 ? value.length : 100), value.start, expected);
    return TSS2_TCTI_RC_BAD_VALUE;
}

static TSS2_RC set_text(char *text, size_t room, const char *key, struct word value)
{
    if (value.length >= room) {
        error_set("configuration: the value of '%s' has %zu bytes, at most %zu are allowed", key,
                  value.length, room - 1);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    memcpy(text, value.start, value.length);
    text[value.length] = '\0';
    return TSS2_RC_SUCCESS;
}

static TSS2_RC set_path(struct conf *conf, size_t offset, const char *key, struct word value)
{
    return set_text((char *)conf + offset, PATH_MAX, key, value);
}

static TSS2_RC set_name(struct conf *conf, size_t offset, const char *key, struct word value)
{
    return set_text((char *)conf + offset, CONF_NAME_MAX, key, value);
}

static TSS2_RC set_off(struct conf *conf, size_t offset, const char *key, struct word value)
{
    bool off = word_is(value, "off");

    if (!off && !word_is(value, "on"))
        return refuse(key, value, "on or off");
    *(bool *)((char *)conf + offset) = off;
    return TSS2_RC_SUCCESS;
}

/* "100", "100x", "0.5" */
static TSS2_RC set_speed(struct conf *conf, size_t offset, const char *key, struct word value)
{
    char text[CONF_NAME_MAX], *end = text;
    locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    double speed = 0;

    /* Whatever the program's locale says of decimal points. */
    if (plain && set_text(text, sizeof(text), key, value) == TSS2_RC_SUCCESS)
        speed = strtod_l(text, &end, plain);
    if (plain)
        freelocale(plain);
    if (end == text || (strcmp(end, "") != 0 && strcmp(end, "x") != 0) ||
        !(speed >= SPEED_MIN && speed <= SPEED_MAX))
        return refuse(key, value, "a factor from 0.001 to 1000000, as 100x");
    memcpy((char *)conf + offset, &speed, sizeof(speed));
    return TSS2_RC_SUCCESS;
}

static TSS2_RC set_seed(struct conf *conf, size_t offset, const char *key, struct word value)
{
    char text[CONF_NAME_MAX], *end;
    uint64_t seed;

    if (set_text(text, sizeof(text), key, value) != TSS2_RC_SUCCESS)
        return TSS2_TCTI_RC_BAD_VALUE;
    errno = 0;
    seed = strtoull(text, &end, 0);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
        return refuse(key, value, "a number");
    memcpy((char *)conf + offset, &seed, sizeof(seed));
    conf->has_seed = true;
    return TSS2_RC_SUCCESS;
}

static const struct {
    const char *key;
    const char *environment;
    conf_setter set;
    size_t offset;
} keys[] = {
    {"dir", NULL, set_path, offsetof(struct conf, directory)},
    {"rm", NULL, set_off, offsetof(struct conf, bare)},
    {"sync", "SIGNET_TPM_SYNC", set_off, offsetof(struct conf, unsynced)},
    {"ek", "SIGNET_TPM_EK", set_off, offsetof(struct conf, no_ek)},
    {"profile", "SIGNET_TPM_PROFILE", set_name, offsetof(struct conf, profile)},
    {"faults", "SIGNET_TPM_FAULTS", set_path, offsetof(struct conf, faults)},
    {"trace", "SIGNET_TPM_TRACE", set_path, offsetof(struct conf, trace)},
    {"pcap", "SIGNET_TPM_PCAP", set_path, offsetof(struct conf, pcap)},
    {"counters", "SIGNET_TPM_COUNTERS", set_path, offsetof(struct conf, counters)},
    {"speed", "SIGNET_TPM_SPEED", set_speed, offsetof(struct conf, speed)},
    {"seed", "SIGNET_TPM_SEED", set_seed, offsetof(struct conf, seed)},
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

static TSS2_RC set(struct conf *conf, size_t index, struct word value)
{
    if (value.length == 0) {
        error_set("configuration: '%s' has no value", keys[index].key);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    return keys[index].set(conf, keys[index].offset, keys[index].key, value);
}

static TSS2_RC unknown_key(struct word key)
{
    char known[256];
    size_t length = 0;

    for (size_t i = 0; i < KEYS; i++)
        length += (size_t)snprintf(known + length, sizeof(known) - length, "%s%s", i ? ", " : "",
                                   keys[i].key);
    error_set("configuration: unknown key '%.*s'; known: %s",
              (int)(key.length < 100 ? key.length : 100), key.start, known);
    return TSS2_TCTI_RC_BAD_VALUE;
}

static TSS2_RC read_pair(struct conf *conf, struct word pair, bool given[KEYS])
{
    const char *equals = memchr(pair.start, '=', pair.length);
    struct word key, value;

    if (!equals) {
        error_set("configuration: '%.100s' is not of the form key=value", pair.start);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    key = (struct word){pair.start, (size_t)(equals - pair.start)};
    value = (struct word){equals + 1, pair.length - key.length - 1};
    for (size_t i = 0; i < KEYS; i++) {
        if (!word_is(key, keys[i].key))
            continue;
        if (given[i]) {
            error_set("configuration: '%s' is given twice", keys[i].key);
            return TSS2_TCTI_RC_BAD_VALUE;
        }
        given[i] = true;
        return set(conf, i, value);
    }
    return unknown_key(key);
}

static TSS2_RC read_environment(struct conf *conf, const bool given[KEYS])
{
    for (size_t i = 0; i < KEYS; i++) {
        const char *text =
            keys[i].environment && !given[i] ? secure_getenv(keys[i].environment) : NULL;

        if (!text || text[0] == '\0')
            continue;
        if (set(conf, i, (struct word){text, strlen(text)}) != TSS2_RC_SUCCESS) {
            error_prefix(keys[i].environment);
            return TSS2_TCTI_RC_BAD_VALUE;
        }
    }
    return TSS2_RC_SUCCESS;
}

static TSS2_RC default_directory(struct conf *conf)
{
    const char *state = secure_getenv("XDG_STATE_HOME");
    const char *home = secure_getenv("HOME");
    int length;

    /* The XDG base directory specification has relative paths ignored. */
    if (state && state[0] == '/') {
        length = snprintf(conf->directory, sizeof(conf->directory), "%s/signet/tpm", state);
    } else if (home && home[0] == '/') {
        length =
            snprintf(conf->directory, sizeof(conf->directory), "%s/.local/state/signet/tpm", home);
    } else {
        error_set(
            "configuration: no 'dir=', and neither XDG_STATE_HOME nor HOME names an absolute path");
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    if (length < 0 || (size_t)length >= sizeof(conf->directory)) {
        error_set("configuration: the path of the default state directory is too long");
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    return TSS2_RC_SUCCESS;
}

TSS2_RC conf_read(const char *text, struct conf *ret)
{
    struct conf conf = {.speed = 1};
    bool given[KEYS] = {false};
    const char *rest = text ? text : "";
    TSS2_RC rc;

    while (*rest != '\0') {
        struct word pair = {rest, strcspn(rest, ",")};

        rc = read_pair(&conf, pair, given);
        if (rc != TSS2_RC_SUCCESS)
            return rc;
        rest += pair.length;
        if (*rest == ',' && *++rest == '\0') {
            error_set("configuration: ends in a comma");
            return TSS2_TCTI_RC_BAD_VALUE;
        }
    }
    rc = read_environment(&conf, given);
    if (rc == TSS2_RC_SUCCESS && conf.directory[0] == '\0')
        rc = default_directory(&conf);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    *ret = conf;
    return TSS2_RC_SUCCESS;
}
