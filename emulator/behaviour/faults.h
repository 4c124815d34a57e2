#ifndef EMULATOR_BEHAVIOUR_FAULTS_H
#define EMULATOR_BEHAVIOUR_FAULTS_H

#include "emulator/conf.h"
#include "emulator/connection.h"
#include "emulator/stage.h"

/* The stage that plays a fault schedule (schedule.h has its form) on the commands
 * of a connection. *ret stays NULL without faults= in the configuration.
 * TSS2_TCTI_RC_BAD_VALUE with file and line as error text for what is no schedule.
 *
 * Counts are of the process, for one state directory and one text of the
 * schedule, or of all processes, with `count in FILE`. A change of the schedule
 * begins anew. `seed=` of the configuration stands above the schedule's. */
TSS2_RC faults_open(const struct conf *conf, struct connection *connection, struct stage **ret);

#endif
