/* The shapes and the style of pictures. */
#include "base/svg.h"

static void escaped(text *out, kiln_str s) {
  for (size_t i = 0; i < s.size; i++) {
    if (s.data[i] == '<')
      text_add(out, STR("&lt;"));
    else if (s.data[i] == '>')
      text_add(out, STR("&gt;"));
    else if (s.data[i] == '&')
      text_add(out, STR("&amp;"));
    else if (s.data[i] == '"')
      text_add(out, STR("&quot;"));
    else
      text_char(out, s.data[i]);
  }
}

void svg_label(text *out, double x, double y, const char *class, kiln_str words) {
  text_format(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
  escaped(out, words);
  text_add(out, STR("</text>\n"));
}

void svg_line(text *out, double x1, double y1, double x2, double y2, const char *class) {
  text_format(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1, y1, x2, y2, class);
}

void svg_box(text *out, double x, double y, double width, double height, const char *color, const char *class,
             kiln_str tip) {
  text_format(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\" fill=\"%s\" class=\"%s\">", x,
              y, width, height, color, class);
  text_add(out, STR("<title>"));
  escaped(out, tip);
  text_add(out, STR("</title></rect>\n"));
}

double svg_text_width(kiln_str s) { return (double)s.size * 6.6; }

/* A page of its own colour: legible wherever the picture is put. */
static const char classes[] =
    "text{font:12px 'DejaVu Sans',Verdana,sans-serif;fill:#2b2f36}"
    ".title{font-size:20px;font-weight:600}.head{font-size:15px;font-weight:600}.note{fill:#6b7280}"
    ".name,.axis{text-anchor:end}.axis,.tick,.point{fill:#6b7280;font-size:11px}.tick,.inside{text-anchor:middle}"
    ".point{text-anchor:end}.inside{fill:#fff;font-weight:600}.over{text-anchor:end;fill:#c0392b;font-size:11px}"
    ".grid{stroke:#e6e8ec}.base{stroke:#9aa1ad}.limit{stroke:#c0392b;stroke-dasharray:5 4}"
    ".item{fill-opacity:.9}.loop{fill-opacity:.10}";

void svg_picture(text *out, double width, double height, const char *style, kiln_str body) {
  text_format(out,
              "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\">\n",
              width, height, width, height);
  text_format(out, "<style>%s%s</style>\n", classes, style);
  text_format(out, "<rect width=\"%.0f\" height=\"%.0f\" fill=\"#fff\"/>\n", width, height);
  text_add(out, body);
  text_add(out, STR("</svg>\n"));
}
