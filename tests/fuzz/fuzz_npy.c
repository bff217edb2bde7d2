/* libFuzzer over the .npy reader: what is accepted must add up, what is refused must say why. */
#include <stdlib.h>

#include "base/npy.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  diag_sink *sink = diag_sink_create(mem_default(), NULL, NULL);
  npy header;
  if (npy_parse(sink, STR("fuzz.npy"), data, size, &header) == KILN_OK) {
    size_t bytes = header.count * header.item_size;
    if (header.offset + bytes != size || header.rank > NPY_MAX_RANK) abort();
    void *copy = malloc(bytes + 1);
    npy_copy(&header, data, copy);
    free(copy);
  } else {
    if (diag_sink_errors(sink) == 0) abort();
    diag_sink_render(sink, diag_sink_get(sink, 0));
  }
  diag_sink_destroy(sink);
  return 0;
}
