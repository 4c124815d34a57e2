/* The names of mechanisms in entry files. Inside the room only. */
#ifndef SIGNET_OBJECT_TEXT_WORDS_H
#define SIGNET_OBJECT_TEXT_WORDS_H

#include "token/object/schema_table.h"

/* Ended by a row without name. */
extern const struct schema_word text_mechanisms[];

#endif
