#include "emulator/conf.h"

#include "emulator/error.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A slice of the configuration string; not terminated. */
struct word {
    const char *start;
    size_t length;
};

typedef TSS2_RC (*conf_setter)(struct conf *conf, struct word key, struct word value);

static TSS2_RC set_directory(struct conf *conf, struct word key, struct word value)
{
    if (conf->directory[0] != '\0') {
        error_set("configuration: '%.*s' is given twice", (int)key.length, key.start);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    if (value.length >= sizeof(conf->directory)) {
        error_set("configuration: the value of 'dir' has %zu bytes, at most %zu are allowed",
                  value.length, sizeof(conf->directory) - 1);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    memcpy(conf->directory, value.start, value.length);
    conf->directory[value.length] = '\0';
    return TSS2_RC_SUCCESS;
}

static TSS2_RC set_not_yet(struct conf *conf, struct word key, struct word value)
{
    (void)conf;
    (void)value;
    error_set("configuration: '%.*s' is not implemented in this version; leave it out",
              (int)key.length, key.start);
    return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

static const struct {
    const char *key;
    conf_setter set;
} keys[] = {
    {"dir", set_directory},
    {"profile", set_not_yet},
    {"faults", set_not_yet},
    {"rm", set_not_yet},
};

static bool word_is(struct word word, const char *text)
{
    return strlen(text) == word.length && memcmp(word.start, text, word.length) == 0;
}

static TSS2_RC read_pair(struct conf *conf, struct word pair)
{
    const char *equals = memchr(pair.start, '=', pair.length);
    struct word key, value;

    if (!equals) {
        error_set("configuration: '%.100s' is not of the form key=value", pair.start);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    key = (struct word){pair.start, (size_t)(equals - pair.start)};
    value = (struct word){equals + 1, pair.length - key.length - 1};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (!word_is(key, keys[i].key))
            continue;
        if (value.length == 0) {
            error_set("configuration: '%s' has no value", keys[i].key);
            return TSS2_TCTI_RC_BAD_VALUE;
        }
        return keys[i].set(conf, key, value);
    }
    error_set("configuration: unknown key '%.*s'; known: dir",
              (int)(key.length < 100 ? key.length : 100), key.start);
    return TSS2_TCTI_RC_BAD_VALUE;
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
    struct conf conf = {.directory = ""};
    const char *rest = text ? text : "";
    TSS2_RC rc;

    while (*rest != '\0') {
        struct word pair = {rest, strcspn(rest, ",")};

        rc = read_pair(&conf, pair);
        if (rc != TSS2_RC_SUCCESS)
            return rc;
        rest += pair.length;
        if (*rest == ',' && *++rest == '\0') {
            error_set("configuration: ends in a comma");
            return TSS2_TCTI_RC_BAD_VALUE;
        }
    }
    if (conf.directory[0] == '\0') {
        rc = default_directory(&conf);
        if (rc != TSS2_RC_SUCCESS)
            return rc;
    }
    *ret = conf;
    return TSS2_RC_SUCCESS;
}
