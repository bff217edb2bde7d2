/* The C++11 consumer. */
#include "scale.h"

int main() { return scale_on_host(); }
