/* The files of a token directory as objects: which there are, which changed. Inside
 * writable.c and its like only. */
#ifndef SIGNET_SESSION_RECORDS_H
#define SIGNET_SESSION_RECORDS_H

#include "token/session/writable.h"

/* Brings records and objects up to date with the directory's list. */
void records_refresh(struct token *token);

/* Lets go of all records and their objects: the token is another one now. */
void records_forget(struct token *token);

/* Frees the records alone; their objects are the token's. */
void records_free(struct writable *writable);

#endif
