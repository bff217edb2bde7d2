/* The C17 consumer. */
#include "scale.h"

int main(void) { return scale_on_host(); }
