/* Drawings as SVG: shapes with a class, which the style of all of Kiln's pictures explains. */
#ifndef KILN_SRC_BASE_SVG_H
#define KILN_SRC_BASE_SVG_H

#include "base/str.h"

void svg_label(text *out, double x, double y, const char *class, kiln_str words);
void svg_line(text *out, double x1, double y1, double x2, double y2, const char *class);
/* A rectangle with round corners; `tip` is shown when it is pointed at. */
void svg_box(text *out, double x, double y, double width, double height, const char *color, const char *class,
             kiln_str tip);
double svg_text_width(kiln_str s); /* roughly, in the style's font of 12 px */

/* The whole picture. `style`: what it needs besides the classes of all: title, head, note, name, axis, tick, inside,
 * key, over (text); grid, base, limit (lines); item, loop (boxes). */
void svg_picture(text *out, double width, double height, const char *style, kiln_str body);

#endif
