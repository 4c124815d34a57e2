#ifndef EMULATOR_BEHAVIOUR_LATENCY_H
#define EMULATOR_BEHAVIOUR_LATENCY_H

#include <stdbool.h>
#include <stdint.h>

/* How long chips take: what was measured of a command, and times drawn at random
 * that have the same fastest, mean and slowest. All in milliseconds. */

enum figure_origin {
    FIGURE_NONE,     /* takes no time */
    FIGURE_MEASURED, /* all three, over `samples` commands */
    FIGURE_MEAN,     /* the mean; the spread is an estimate */
    FIGURE_ESTIMATE,
};

struct figure {
    double fastest, mean, slowest;
    unsigned samples;
    enum figure_origin origin;
};

/* A lognormal distribution above its fastest value: narrow or heavy-tailed as the
 * three numbers of the figure say. */
struct distribution {
    double fastest;
    double mu;
    double sigma;
};

/* The distribution whose mean is the figure's, and whose slowest of `samples`
 * values is, in the middle, the figure's, or as near as a lognormal comes to it. */
void distribution_fit(const struct figure *figure, struct distribution *ret);

/* The value that half of all draws are below. */
double distribution_median(const struct distribution *distribution);

/* Reproducible random numbers (splitmix64); not for secrets. */
struct draws {
    uint64_t state;
};

uint64_t draws_next(struct draws *draws);

double distribution_draw(const struct distribution *distribution, struct draws *draws);

#endif
