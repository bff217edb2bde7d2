/* Stands in for libFuzzer in ordinary builds: feeds every file of the folders given to the target once, so that what
 * the fuzzer ever found stays found. Ends with the number of inputs; no input at all is a failure. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz.h"

/* False when the file cannot be read. */
static bool replay_file(const char *path) {
  struct stat info;
  if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) return false;
  size_t size = (size_t)info.st_size;
  uint8_t *data = malloc(size ? size : 1);
  FILE *file = fopen(path, "rb");
  bool good = data && file && fread(data, 1, size, file) == size;
  if (good) LLVMFuzzerTestOneInput(data, size);
  if (file) fclose(file);
  free(data);
  return good;
}

static unsigned replay_folder(const char *folder) {
  unsigned count = 0;
  DIR *listing = opendir(folder);
  for (struct dirent *entry; listing && (entry = readdir(listing)) != NULL;) {
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    if (entry->d_name[0] == '.' || length < 0 || (size_t)length >= sizeof path) continue;
    if (replay_file(path)) count++;
  }
  if (listing) closedir(listing);
  return count;
}

int main(int argc, char **argv) {
  unsigned count = 0;
  for (int i = 1; i < argc; i++) count += replay_folder(argv[i]);
  printf("%u inputs\n", count);
  return count > 0 ? 0 : 1;
}
