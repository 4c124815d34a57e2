/* The few compiler attributes that the tree uses, by name. */
#ifndef SIGNET_BASE_COMPILER_H
#define SIGNET_BASE_COMPILER_H

#define CHECKED __attribute__((warn_unused_result))
#define CLEANUP(function) __attribute__((cleanup(function)))
#define PRINTF(string, first) __attribute__((format(printf, string, first)))
#define UNUSED __attribute__((unused))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
