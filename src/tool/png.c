/* Pictures, by libpng's simplified interface; without libpng the request was refused before anything ran. */
#include "base/file.h"
#include "tool/output.h"

#ifdef KILN_PNG
#include <png.h>

static kiln_result refuse(tool *t, const char *path, const char *why) {
  TOOL_REPORT(t, DIAG_file_unwritable, NULL, path, why);
  return KILN_ERROR_IO;
}

kiln_result png_save(tool *t, const char *path, const void *pixels, size_t height, size_t width, size_t channels) {
  png_image image = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)width,
                     .height = (png_uint_32)height,
                     .format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY};
  mem m = t->context->mem;
  png_alloc_size_t room = PNG_IMAGE_PNG_SIZE_MAX(image), size = room;
  void *file = mem_alloc(m, room);
  if (!file) return tool_out_of_memory(t);
  kiln_result result;
  if (png_image_write_to_memory(&image, file, &size, 0, pixels, 0, NULL)) {
    kiln_str part = {file, size};
    result = file_write(m, t->context->diags, path, &part, 1);
  } else {
    result = refuse(t, path, image.message);
  }
  mem_free(m, file, room);
  return result;
}
#else
kiln_result png_save(tool *t, const char *path, const void *pixels, size_t height, size_t width, size_t channels) {
  (void)pixels, (void)height, (void)width, (void)channels;
  TOOL_REPORT(t, DIAG_no_png, NULL, path);
  return KILN_ERROR_UNSUPPORTED;
}
#endif
