#include "token/base/secret.h"

#include <string.h>
#include <sys/mman.h>

/* One mapping each: a page can be locked and wiped only as a whole. */
struct secret {
    size_t size;
    uint8_t value[SECRET_MAX_SIZE];
};

CK_RV secret_new(struct view value, struct secret **ret_secret)
{
    if (value.size > SECRET_MAX_SIZE)
        return CKR_PIN_LEN_RANGE;
    struct secret *secret =
        mmap(NULL, sizeof(*secret), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (secret == MAP_FAILED)
        return CKR_HOST_MEMORY;
    /* All three are best effort: RLIMIT_MEMLOCK may be 0, old kernels lack the last. */
    (void)mlock(secret, sizeof(*secret));
    (void)madvise(secret, sizeof(*secret), MADV_DONTDUMP);
#ifdef MADV_WIPEONFORK
    (void)madvise(secret, sizeof(*secret), MADV_WIPEONFORK);
#endif
    secret->size = value.size;
    if (value.size)
        memcpy(secret->value, value.data, value.size);
    *ret_secret = secret;
    return CKR_OK;
}

struct view secret_view(const struct secret *secret)
{
    return secret ? view_of(secret->value, secret->size) : (struct view){0};
}

bool secret_views_equal(struct view a, struct view b)
{
    volatile uint8_t difference = 0;
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        difference |= a.data[i] ^ b.data[i];
    return difference == 0;
}

void secret_free(struct secret *secret)
{
    if (!secret)
        return;
    explicit_bzero(secret, sizeof(*secret));
    munmap(secret, sizeof(*secret));
}

void secret_cleanup(struct secret **secret)
{
    secret_free(*secret);
    *secret = NULL;
}
