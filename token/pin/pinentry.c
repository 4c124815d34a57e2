#include "token/pin/pin.h"

#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "token/pin/dialogue.h"
#include "token/pin/program.h"

#define MAX_REPEATS 3

static const char *const usual_names[] = {
    "pinentry",    "pinentry-gnome3", "pinentry-gtk-2", "pinentry-qt5",
    "pinentry-qt", "pinentry-curses", "pinentry-tty",
};

static const char *first_set(const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *value = secure_getenv(names[i]);
        if (value && *value)
            return value;
    }
    return NULL;
}

/* The terminal, for programs that ask there. */
static void tell_terminal(struct dialogue *dialogue)
{
    char name[128] = "";
    const char *terminal = secure_getenv("GPG_TTY");
    for (int file = STDIN_FILENO; !terminal && file <= STDERR_FILENO; file++)
        if (ttyname_r(file, name, sizeof(name)) == 0)
            terminal = name;
    dialogue_option(dialogue, "ttyname", terminal);
    dialogue_option(dialogue, "ttytype", secure_getenv("TERM"));
}

static void tell_surroundings(struct dialogue *dialogue)
{
    static const char *const letters[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    static const char *const messages[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    dialogue_option(dialogue, "display", secure_getenv("DISPLAY"));
    tell_terminal(dialogue);
    dialogue_option(dialogue, "lc-ctype", first_set(letters, ARRAY_SIZE(letters)));
    dialogue_option(dialogue, "lc-messages", first_set(messages, ARRAY_SIZE(messages)));
    /* 0: a user may take as long as he needs. */
    dialogue_tell(dialogue, "SETTIMEOUT", "0");
}

static CK_RV ask(struct dialogue *dialogue, const struct pin_question *question, const char *prompt,
                 const char *error, struct bytes *pin, bool *ret_repeated, struct reason *reason)
{
    dialogue_tell(dialogue, "SETTITLE", question->title);
    dialogue_tell(dialogue, "SETDESC", question->description);
    dialogue_tell(dialogue, "SETPROMPT", prompt);
    dialogue_tell(dialogue, "SETERROR", error);
    return dialogue_get_pin(dialogue, pin, ret_repeated, reason);
}

/* Some programs ask for it twice themselves, and say so; others do not. */
static CK_RV ask_new(struct dialogue *dialogue, const struct pin_question *question,
                     struct bytes *pin, struct reason *reason)
{
    struct bytes again CLEANUP(bytes_free) = {0};
    const char *error = question->retry;
    for (int i = 0; i < MAX_REPEATS; i++) {
        bool repeated = false;
        dialogue_tell(dialogue, "SETREPEAT", question->repeat);
        dialogue_tell(dialogue, "SETREPEATERROR", "The two are not the same. Try again.");
        CK_RV rv = ask(dialogue, question, question->prompt, error, pin, &repeated, reason);
        if (rv != CKR_OK || repeated)
            return rv;
        rv = ask(dialogue, question, question->repeat, NULL, &again, &repeated, reason);
        if (rv != CKR_OK || secret_views_equal(bytes_view(pin), bytes_view(&again)))
            return rv;
        error = "The two were not the same. Try again.";
    }
    reason_set(reason, "the new PIN was typed differently %d times", MAX_REPEATS);
    return CKR_FUNCTION_FAILED;
}

CK_RV pin_from_pinentry(const struct pin_question *question, struct secret **ret_pin,
                        struct reason *reason)
{
    /* The environment, which is the caller's, would say what runs with our rights. */
    if (getauxval(AT_SECURE)) {
        reason_set(reason, "no pinentry is started by a program that has more rights than its "
                           "user (set-uid, set-gid or with capabilities)");
        return CKR_FUNCTION_FAILED;
    }
    struct program program CLEANUP(program_end) = {.pid = 0, .file = -1};
    struct dialogue *dialogue CLEANUP(dialogue_cleanup) = NULL;
    struct bytes pin CLEANUP(bytes_free) = {0};
    bool repeated = false;
    CK_RV rv = question->program
                   ? program_start(&question->program, 1, &program, reason)
                   : program_start(usual_names, ARRAY_SIZE(usual_names), &program, reason);
    if (rv == CKR_OK)
        rv = dialogue_new(program_take_file(&program), &dialogue, reason);
    if (rv != CKR_OK)
        return rv;
    tell_surroundings(dialogue);
    rv = question->repeat
             ? ask_new(dialogue, question, &pin, reason)
             : ask(dialogue, question, question->prompt, question->retry, &pin, &repeated, reason);
    return rv != CKR_OK ? rv : secret_new(bytes_view(&pin), ret_pin);
}
