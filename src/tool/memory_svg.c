/* Drawing memory plans. Names go through an escape: a kernel may come from anywhere. */
#include "tool/memory_svg.h"

#define WIDTH 860.0
#define PANEL 180.0 /* height of one space's panel */
#define MARGIN 60.0

static const char *const colours[] = {"#e8a33d", "#5b8fd6", "#6fb36f", "#c96a6a", "#9a79c4", "#58b0b0"};

static void add_escaped(text *t, kiln_str s) {
  for (size_t i = 0; i < s.size; i++) {
    char c = s.data[i];
    if (c == '<' || c == '>' || c == '&')
      text_format(t, "&#%d;", c);
    else
      text_char(t, c);
  }
}

typedef struct panel {
  const alloc_use *use;
  double top, time_scale, byte_scale;
} panel;

static void add_item(text *t, const panel *p, const alloc_item *item, size_t colour) {
  double x = MARGIN + item->first * p->time_scale;
  double width = (item->last - item->first + 1) * p->time_scale;
  double height = (double)item->size * p->byte_scale;
  double y = p->top + PANEL - (double)item->offset * p->byte_scale - height;
  text_format(t, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\" stroke=\"#333\"><title>", x, y,
              width, height, colours[colour % (sizeof colours / sizeof *colours)]);
  add_escaped(t, item->name);
  text_format(t, ": %llu bytes at %llu, alive %u..%u</title></rect>\n", (unsigned long long)item->size,
              (unsigned long long)item->offset, item->first, item->last);
  if (height < 12) return; /* no room for its name */
  text_format(t, "<text x=\"%.2f\" y=\"%.2f\">", x + 4, y + height / 2 + 4);
  add_escaped(t, item->name);
  text_add(t, STR("</text>\n"));
}

static void add_panel(text *t, const pass_memory *memory, const panel *p) {
  const alloc_use *use = p->use;
  text_format(t, "<text x=\"%.0f\" y=\"%.2f\" font-weight=\"bold\">%s: %llu bytes", MARGIN, p->top - 6,
              space_info_of(use->space)->name, (unsigned long long)use->peak);
  if (use->limit) text_format(t, " of %llu", (unsigned long long)use->limit);
  text_add(t, STR("</text>\n"));
  text_format(t, "<rect x=\"%.0f\" y=\"%.2f\" width=\"%.0f\" height=\"%.0f\" fill=\"#f6f4f0\"/>\n", MARGIN, p->top,
              WIDTH, PANEL);
  for (uint32_t i = 0; i < memory->report.item_count; i++) {
    const alloc_item *item = &memory->report.items[i];
    if (item->key.space == use->space && item->key.owner == use->owner) add_item(t, p, item, i);
  }
}

kiln_str memory_svg(arena *a, kiln_str title, const pass_memory *memory) {
  text t = text_new(a);
  double height = MARGIN + memory->report.use_count * (PANEL + MARGIN);
  text_format(&t,
              "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" font-family=\"sans-serif\" "
              "font-size=\"12\">\n<text x=\"%.0f\" y=\"24\" font-size=\"16\">",
              WIDTH + 2 * MARGIN, height, MARGIN);
  add_escaped(&t, title);
  text_add(&t, STR("</text>\n"));
  for (uint32_t i = 0; i < memory->report.use_count; i++) {
    const alloc_use *use = &memory->report.uses[i];
    panel p = {use, MARGIN + i * (PANEL + MARGIN), WIDTH / (memory->point_count + 1.0),
               use->peak > 0 ? PANEL / (double)use->peak : 0};
    add_panel(&t, memory, &p);
  }
  text_add(&t, STR("</svg>\n"));
  return text_str(&t);
}
