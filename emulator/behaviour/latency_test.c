#include "emulator/behaviour/timing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_tpm2_types.h>

#define DRAWS 10000

static int compare(const void *a, const void *b)
{
    double first, second;

    memcpy(&first, a, sizeof(first));
    memcpy(&second, b, sizeof(second));
    return (first > second) - (first < second);
}

/* What many draws of a figure have: compared with the figure in milliseconds. */
struct sample {
    double values[DRAWS]; /* sorted */
    double mean;
    double slowest; /* the middle one of the slowest of each hundred or thousand */
};

static struct sample *draw(const struct figure *figure, uint64_t seed)
{
    static struct sample sample;
    struct distribution distribution;
    struct draws draws = {seed};
    double slowest[DRAWS / 100] = {0};
    size_t blocks = DRAWS / figure->samples;

    distribution_fit(figure, &distribution);
    sample.mean = 0;
    for (size_t i = 0; i < DRAWS; i++) {
        double value = distribution_draw(&distribution, &draws);
        size_t block = i / figure->samples;

        sample.values[i] = value;
        sample.mean += value / DRAWS;
        if (value > slowest[block])
            slowest[block] = value;
    }
    qsort(slowest, blocks, sizeof(slowest[0]), compare);
    qsort(sample.values, DRAWS, sizeof(sample.values[0]), compare);
    sample.slowest = slowest[blocks / 2];
    return &sample;
}

static void assert_between(double value, double low, double high)
{
    if (!(value >= low && value <= high))
        fail_msg("%g is not between %g and %g", value, low, high);
}

static void draws_have_the_fastest_mean_and_slowest_of_their_figure(void **state)
{
    (void)state;
    for (size_t i = 0; i < profiles_count; i++) {
        for (int kind = 0; kind < TIME_MEASURED_KINDS; kind++) {
            const struct figure *figure = &profiles[i]->times[kind];
            double mean = figure->mean - figure->fastest;
            double reach = figure->slowest - figure->fastest;
            const struct sample *sample;

            if (figure->origin == FIGURE_NONE)
                continue;
            sample = draw(figure, 1);
            assert_between(sample->values[0], figure->fastest, figure->mean);
            assert_between(sample->mean, figure->mean * 0.995 - mean * 0.07,
                           figure->mean * 1.005 + mean * 0.07);
            /* One outlier of a hundred is more than a lognormal can have. */
            if (figure->samples < 1000 && reach > 15 * mean)
                continue;
            assert_between(sample->slowest - figure->fastest, reach * 0.7, reach * 1.4);
        }
    }
}

/* The published ranges of the means, over machines and firmware versions, in ms. */
static const struct published {
    const char *profile;
    enum time_kind kind;
    double low, high;
} published[] = {
    {"intel-ptt", TIME_CREATE_RSA, 2296, 2445},
    {"intel-ptt", TIME_CREATE_ECC, 15, 17},
    {"intel-ptt", TIME_SIGN_RSA, 18, 19},
    {"intel-ptt", TIME_SIGN_ECC, 12, 13},
    {"intel-ptt", TIME_RSA_DECRYPT, 18.7, 19.2},
    {"intel-ptt", TIME_VERIFY_RSA, 4.4, 4.9},
    {"intel-ptt", TIME_ECDH, 22, 23},
    {"intel-ptt", TIME_GET_RANDOM, 1.4, 1.65},
    {"intel-ptt-old", TIME_CREATE_RSA, 4990, 5200},
    {"intel-ptt-old", TIME_CREATE_ECC, 56, 57},
    {"intel-ptt-old", TIME_SIGN_RSA, 229, 230},
    {"intel-ptt-old", TIME_SIGN_ECC, 136, 137},
    {"intel-ptt-old", TIME_VERIFY_RSA, 10, 12},
    {"intel-ptt-old", TIME_ECDH, 95, 96},
    {"intel-ptt-old", TIME_GET_RANDOM, 1.5, 2.8},
    {"amd-ftpm", TIME_CREATE_RSA, 1345, 1980},
    {"amd-ftpm", TIME_CREATE_ECC, 9, 14},
    {"amd-ftpm", TIME_SIGN_RSA, 8.5, 15.5},
    {"amd-ftpm", TIME_SIGN_ECC, 5.3, 6.2},
    {"amd-ftpm", TIME_RSA_DECRYPT, 8.5, 16.5},
    {"amd-ftpm", TIME_ECDH, 6, 8},
    {"amd-ftpm", TIME_GET_RANDOM, 3.0, 3.6},
    {"slb9670", TIME_CREATE_RSA, 7158, 12317},
    {"slb9670", TIME_CREATE_ECC, 108, 218},
    {"slb9670", TIME_SIGN_RSA, 163, 449},
    {"slb9670", TIME_SIGN_ECC, 70, 73},
    {"slb9670", TIME_RSA_DECRYPT, 163, 451},
    {"slb9670", TIME_VERIFY_RSA, 10.7, 14.7},
    {"slb9670", TIME_GET_RANDOM, 3.9, 4.5},
    {"slb9672", TIME_CREATE_RSA, 1568, 1568},
    {"slb9672", TIME_CREATE_ECC, 136, 136},
    {"slb9672", TIME_SIGN_RSA, 77, 77},
    {"slb9672", TIME_SIGN_ECC, 35.6, 35.6},
    {"slb9672", TIME_ECDH, 65.9, 65.9},
    {"npct75x", TIME_CREATE_RSA, 3526, 3724},
    {"npct75x", TIME_CREATE_ECC, 25, 78.1},
    {"npct75x", TIME_SIGN_RSA, 70, 106},
    {"npct75x", TIME_SIGN_ECC, 19, 56},
    {"npct75x", TIME_RSA_DECRYPT, 69.9, 106},
    {"npct75x", TIME_VERIFY_RSA, 6.7, 43},
    {"npct75x", TIME_ECDH, 31, 68},
    {"npct75x", TIME_GET_RANDOM, 2.0, 21},
    {"npct65x", TIME_CREATE_RSA, 22000, 23000},
    {"npct65x", TIME_CREATE_ECC, 70, 78},
    {"npct65x", TIME_SIGN_RSA, 547, 559},
    {"npct65x", TIME_SIGN_ECC, 194, 199},
    {"npct65x", TIME_RSA_DECRYPT, 546, 559},
    {"npct65x", TIME_VERIFY_RSA, 11.7, 12.3},
    {"npct65x", TIME_ECDH, 114, 118},
    {"npct65x", TIME_GET_RANDOM, 3.8, 5.0},
    {"st33", TIME_CREATE_RSA, 8876, 10500},
    {"st33", TIME_CREATE_ECC, 146, 197},
    {"st33", TIME_SIGN_RSA, 231, 257},
    {"st33", TIME_SIGN_ECC, 43, 51},
    {"st33", TIME_RSA_DECRYPT, 235, 260},
    {"st33", TIME_VERIFY_RSA, 10, 12},
    {"st33", TIME_ECDH, 144, 163},
    {"st33", TIME_GET_RANDOM, 2.5, 2.6},
};

static void means_lie_in_the_published_ranges(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(published) / sizeof(published[0]); i++) {
        const struct published *row = &published[i];
        const struct figure *figure = &profile_find(row->profile)->times[row->kind];
        const struct sample *sample = draw(figure, 7);

        assert_true(figure->origin == FIGURE_MEASURED || figure->origin == FIGURE_MEAN);
        assert_between(figure->mean, row->low, row->high);
        assert_between(sample->mean, row->low * 0.93, row->high * 1.07);
    }
}

static void only_the_making_of_rsa_keys_has_a_heavy_tail(void **state)
{
    const char *const chips[] = {"intel-ptt", "intel-ptt-old", "slb9670",
                                 "npct75x",   "npct65x",       "st33"};

    (void)state;
    for (size_t i = 0; i < sizeof(chips) / sizeof(chips[0]); i++) {
        const struct profile *profile = profile_find(chips[i]);
        const struct sample *sample = draw(&profile->times[TIME_CREATE_RSA], 3);

        assert_true(sample->values[DRAWS - 1] > 3 * sample->mean);
        assert_true(sample->values[DRAWS / 2] < sample->mean);
        sample = draw(&profile->times[TIME_SIGN_ECC], 3);
        assert_true(sample->values[DRAWS * 99 / 100] < 1.15 * sample->mean);
    }
}

static void the_same_seed_gives_the_same_times(void **state)
{
    struct timing first, second, other;
    bool differs = false;

    (void)state;
    timing_init(profile_find("slb9670"), 5, 1, &first);
    timing_init(profile_find("slb9670"), 5, 1, &second);
    timing_init(profile_find("slb9670"), 6, 1, &other);
    for (int i = 0; i < 100; i++) {
        uint64_t time = timing_draw(&first, TIME_CREATE_RSA, 1);

        assert_true(time == timing_draw(&second, TIME_CREATE_RSA, 1));
        differs = differs || time != timing_draw(&other, TIME_CREATE_RSA, 1);
    }
    assert_true(differs);
}

static void the_speed_divides_the_times(void **state)
{
    struct timing slow, fast;

    (void)state;
    timing_init(profile_find("st33"), 5, 1, &slow);
    timing_init(profile_find("st33"), 5, 100, &fast);
    for (int i = 0; i < 100; i++) {
        uint64_t time = timing_draw(&slow, TIME_SIGN_ECC, 1);

        assert_true(time > 40000000 && time < 60000000);
        assert_in_range(timing_draw(&fast, TIME_SIGN_ECC, 1), time / 100 - 1, time / 100 + 1);
    }
}

static void what_was_not_published_is_estimated_by_something_alike(void **state)
{
    const struct profile *profile = profile_find("slb9670");

    (void)state;
    assert_ptr_equal(timing_figure(profile, TIME_LOAD), &profile->times[TIME_CREATE_OTHER]);
    assert_ptr_equal(timing_figure(profile, TIME_UNSEAL), &profile->times[TIME_HMAC]);
    assert_ptr_equal(timing_figure(profile, TIME_NV_CHANGE), &profile->times[TIME_CREATE_OTHER]);
    assert_ptr_equal(timing_figure(profile, TIME_OTHER), &profile->times[TIME_GET_RANDOM]);
}

static void put_words(struct message *message, const uint16_t *words, size_t count)
{
    message->size = HEADER_SIZE;
    for (size_t i = 0; i < count; i++, message->size += 2)
        put_u16(message->bytes + message->size, words[i]);
    put_u16(message->bytes, TPM2_ST_NO_SESSIONS);
    put_u32(message->bytes + 2, (uint32_t)message->size);
    put_u32(message->bytes + 6, TPM2_RC_SUCCESS);
}

static enum time_kind kind_of(uint32_t code, const struct message *message,
                              const struct message *response, double *ret_factor)
{
    const struct command command = {.code = code, .parameters = HEADER_SIZE};

    return timing_kind(&command, message, response, ret_factor);
}

static void the_kind_and_size_of_a_key_are_found_in_commands_and_answers(void **state)
{
    static const uint16_t rsa3072[] = {0, 22, 1, 11, 0, 0, 0, 0x10, 0x10, 3072, 0, 0, 0};
    static const uint16_t p384[] = {0, 22, 0x23, 11, 0, 0, 0, 0x10, 0x10, 4, 0x10, 0, 0};
    static const uint16_t hmac[] = {0, 14, 8, 11, 0, 0, 0, 5, 11};
    static const uint16_t rsa_signature[] = {TPM2_ALG_RSASSA, 11, 256};
    static const uint16_t ecc_signature[] = {TPM2_ALG_ECDSA, 11, 32};
    static const uint16_t rsa_salt[] = {0, 256}, ecc_salt[] = {0, 68}, no_salt[] = {0, 0};
    static const uint16_t ciphertext[] = {128};
    struct message m, response;
    double factor;

    (void)state;
    put_words(&response, NULL, 0);
    put_words(&m, rsa3072, 13);
    assert_int_equal(kind_of(TPM2_CC_Create, &m, &response, &factor), TIME_CREATE_RSA);
    assert_between(factor, 4, 4);
    put_words(&m, p384, 13);
    assert_int_equal(kind_of(TPM2_CC_CreatePrimary, &m, &response, &factor), TIME_CREATE_ECC);
    assert_between(factor, 1.9, 1.9);
    put_words(&m, hmac, 9);
    assert_int_equal(kind_of(TPM2_CC_Create, &m, &response, &factor), TIME_CREATE_OTHER);
    put_words(&m, rsa_salt, 2);
    assert_int_equal(kind_of(TPM2_CC_StartAuthSession, &m, &response, &factor), TIME_RSA_DECRYPT);
    put_words(&m, ecc_salt, 2);
    assert_int_equal(kind_of(TPM2_CC_StartAuthSession, &m, &response, &factor), TIME_ECDH);
    put_words(&m, no_salt, 2);
    assert_int_equal(kind_of(TPM2_CC_StartAuthSession, &m, &response, &factor), TIME_OTHER);
    put_words(&m, ciphertext, 1);
    assert_int_equal(kind_of(TPM2_CC_RSA_Decrypt, &m, &response, &factor), TIME_RSA_DECRYPT);
    assert_between(factor, 0.3, 0.3);
    put_words(&response, rsa_signature, 3);
    assert_int_equal(kind_of(TPM2_CC_Sign, &m, &response, &factor), TIME_SIGN_RSA);
    put_words(&response, ecc_signature, 3);
    assert_int_equal(kind_of(TPM2_CC_Sign, &m, &response, &factor), TIME_SIGN_ECC);
    put_u32(response.bytes + 6, TPM2_RC_FAILURE);
    assert_int_equal(kind_of(TPM2_CC_Sign, &m, &response, &factor), TIME_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_have_the_fastest_mean_and_slowest_of_their_figure),
        cmocka_unit_test(means_lie_in_the_published_ranges),
        cmocka_unit_test(only_the_making_of_rsa_keys_has_a_heavy_tail),
        cmocka_unit_test(the_same_seed_gives_the_same_times),
        cmocka_unit_test(the_speed_divides_the_times),
        cmocka_unit_test(what_was_not_published_is_estimated_by_something_alike),
        cmocka_unit_test(the_kind_and_size_of_a_key_are_found_in_commands_and_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
