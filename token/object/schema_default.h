/* What an attribute is that the template does not name. Inside the room only. */
#ifndef SIGNET_OBJECT_SCHEMA_DEFAULT_H
#define SIGNET_OBJECT_SCHEMA_DEFAULT_H

#include "token/object/schema.h"
#include "token/object/schema_table.h"

/* What is being done (without SCHEMA_BY_SO), by whom, and to what: schema_bits. */
struct schema_task {
    enum schema_origin origin;
    bool so;
    unsigned bits;
};

/* Is one of the uses true: CKA_SIGN, CKA_DECRYPT, … but not CKA_DERIVE, whose default
 * PKCS#11 knows? */
bool schema_names_a_use(const struct attributes *attributes);

/* Sets the row's default. use: keys get the uses of their type. */
CHECKED CK_RV schema_fill(const struct schema_row *row, const struct schema_task *task, bool use,
                          struct attributes *attributes);

#endif
