// A small chart: a number that stands out, and lines for how it came to that.

import { h } from "/gallery/dom.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 72;

/** `lines` are `[name, of]`, where `of(span)` is a number or null; the first one's is the number that stands out. */
export class Chart {
  constructor({ title, told, words, lines, points }) {
    this.words = words;
    this.points = points;
    this.figure = h("strong", { class: "figure" }, "–");
    this.top = h("span", { class: "top", "aria-hidden": "true" });
    this.svg = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    this.lines = lines.map(([name, of], place) => {
      const path = svg("path", { class: `line line-${place}` });
      const value = h("b", {}, "–");
      this.svg.append(path);
      return { name, of, path, value, history: [] };
    });
    const legend = this.lines.map(({ name, value }, place) => h("li", { class: `key key-${place}` }, name, " ", value));
    this.element = h("article", { class: "card" },
      h("h2", {}, title), this.figure, h("p", { class: "told" }, told),
      h("div", { class: "plot" }, this.top, this.svg),
      h("ul", { class: "legend" }, ...(legend.length > 1 ? legend : [])));
    this.title = title;
  }

  add(span) {
    for (const line of this.lines) {
      line.history.push(line.of(span));
      if (line.history.length > this.points) line.history.shift();
    }
    this.draw();
  }

  clear() {
    for (const line of this.lines) line.history = [];
  }

  draw() {
    const top = nice(Math.max(...this.lines.flatMap(({ history }) => history.map((each) => each ?? 0))));
    this.top.textContent = top ? this.words(top) : "";
    for (const { history, path, value } of this.lines) {
      path.setAttribute("d", way(history, top || 1, this.points));
      value.textContent = this.words(history.at(-1));
    }
    this.figure.textContent = this.words(this.lines[0].history.at(-1));
    const said = this.lines.map(({ name, value }) => `${name} ${value.textContent}`).join(", ");
    this.svg.setAttribute("aria-label", `${this.title}: ${said}`);
  }
}

/** The line through what is known, from the right edge back. */
function way(history, top, points) {
  const step = WIDTH / (points - 1);
  const first = WIDTH - (history.length - 1) * step;
  let pen = "M";
  let path = "";
  history.forEach((value, place) => {
    if (value == null) {
      pen = "M";
      return;
    }
    const x = (first + place * step).toFixed(1);
    const y = (HEIGHT - 2 - (value / top) * (HEIGHT - 4)).toFixed(1);
    // A point by itself is a short stroke, or nobody would see it.
    path += pen === "M" ? `M${x} ${y}h.1` : `L${x} ${y}`;
    pen = "L";
  });
  return path;
}

/** The next of 1, 2 and 5 times a power of ten. */
function nice(number) {
  if (!(number > 0)) return 0;
  const power = 10 ** Math.floor(Math.log10(number));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= number * 0.999);
}

function svg(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
