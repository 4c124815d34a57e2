#include "emulator/behaviour/latency.h"

#include <math.h>

#define TWO_PI 6.283185307179586

/* How many standard deviations the slowest of so many values is off, in the
 * middle: the normal distribution's quantile of 0.5^(1/samples). */
static double slowest_deviation(unsigned samples)
{
    if (samples >= 1000)
        return 3.198;
    return samples >= 100 ? 2.462 : 1.499;
}

/* With d and D the mean and the slowest above the fastest:
 * mu = ln d - sigma^2/2 and ln D = mu + z sigma, to be solved for sigma. */
void distribution_fit(const struct figure *figure, struct distribution *ret)
{
    double mean = figure->mean - figure->fastest;
    double z = slowest_deviation(figure->samples);
    double ratio, root;

    *ret = (struct distribution){figure->mean, -INFINITY, 0};
    if (mean <= 0 || figure->slowest <= figure->mean)
        return;
    ratio = log((figure->slowest - figure->fastest) / mean);
    root = z * z - 2 * ratio;
    ret->fastest = figure->fastest;
    ret->sigma = z - (root > 0 ? sqrt(root) : 0);
    ret->mu = log(mean) - ret->sigma * ret->sigma / 2;
}

double distribution_median(const struct distribution *distribution)
{
    return distribution->fastest + exp(distribution->mu);
}

uint64_t draws_next(struct draws *draws)
{
    uint64_t value = draws->state += 0x9e3779b97f4a7c15u;

    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

/* Above 0, up to 1. */
static double draw_fraction(struct draws *draws)
{
    return (double)((draws_next(draws) >> 11) + 1) * 0x1p-53;
}

double distribution_draw(const struct distribution *distribution, struct draws *draws)
{
    double radius = sqrt(-2 * log(draw_fraction(draws)));
    double normal = radius * cos(TWO_PI * draw_fraction(draws));

    return distribution->fastest + exp(distribution->mu + distribution->sigma * normal);
}
