/* Settings from the environment: one table, one reader. */
#ifndef KILN_SRC_BASE_CONFIG_H
#define KILN_SRC_BASE_CONFIG_H

#include "base/diag.h"

typedef enum config_kind { CONFIG_PATH, CONFIG_NUMBER } config_kind;

typedef enum config_id {
#define CONFIG(id, name, kind, fallback, least, most, doc) CONFIG_ID_##id,
#include "base/config.def"
#undef CONFIG
  CONFIG_ID_COUNT
} config_id;

typedef struct config_row {
  const char *name;
  config_kind kind;
  const char *fallback;
  uint64_t least, most; /* NUMBER only */
  const char *doc;
} config_row;

extern const config_row config_rows[CONFIG_ID_COUNT];

/* The value in force. A wrong one is reported to `sink` and the fallback taken; the text lives as long as the
 * environment is left alone. */
kiln_str config_text(config_id id, diag_sink *sink);
uint64_t config_number(config_id id, diag_sink *sink);

/* Whether Kiln checks itself at this level of KILN_CHECK. Checking builds always do. */
bool config_checks(uint64_t level, diag_sink *sink);

#endif
