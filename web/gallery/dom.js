// Building elements. Whatever people wrote becomes text nodes and attribute values, never markup.

import { ago } from "./words.js";

/**
 * An element with properties and children. `on` holds listeners, `data` the dataset; true and false
 * set and leave out an attribute. Strings become text; null and false are left out.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  const { on = {}, data = {}, ...attributes } = properties;
  for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener);
  Object.assign(element.dataset, data);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  bell: "M6 16v-5a6 6 0 0 1 12 0v5l1.5 2h-15zM10 20.5a2 2 0 0 0 4 0",
  comment: "M4 5h16v11H11l-5 4v-4H4z",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6",
  close: "M5 5l14 14M19 5L5 19",
  left: "M14.5 5l-7 7 7 7",
  right: "M9.5 5l7 7-7 7",
  search: "M10.5 4.5a6 6 0 1 0 0 12 6 6 0 0 0 0-12M15 15l5 5",
  star: "M12 3.5l2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9L3.5 9.7l5.9-.8z",
  hidden: "M4 4l16 16M9.5 6c.8-.3 1.6-.5 2.5-.5 6 0 9.5 6.5 9.5 6.5a17 17 0 0 1-3 3.6M6 8a16 16 0 0 0-3.5 4S6 18.5 12 18.5c1.3 0 2.5-.3 3.5-.8",
};

/** One of the line icons; decoration only, so hidden from screen readers. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  return svg;
}

/** The address of a picture, or null where it is not one that a browser should load. */
export function pictureUrl(url) {
  if (!url || !URL.canParse(url, location.href)) return null;
  const parsed = new URL(url, location.href);
  return ["http:", "https:"].includes(parsed.protocol) ? parsed.href : null;
}

/** A round portrait, or the initial where there is none. */
export function portrait(user) {
  const url = pictureUrl(user.avatar_url);
  const initial = () => h("span", { class: "portrait initial", "aria-hidden": "true" }, [...user.display_name][0] ?? "?");
  if (!url) return initial();
  const image = h("img", { class: "portrait", src: url, alt: "", loading: "lazy", width: 40, height: 40 });
  image.addEventListener("error", () => image.replaceWith(initial()), { once: true });
  return image;
}

/** A moment as it is said, with the exact time for those who point at it. */
export function time(at) {
  return h("time", { datetime: at, title: new Date(at).toLocaleString() }, ago(at));
}

/** A popover below the button that opens it; `fill` gives its content each time it opens. */
export function popover(button, label, fill) {
  const panel = h("div", { class: "panel", popover: "auto", role: "group", "aria-label": label });
  panel.addEventListener("beforetoggle", (event) => {
    button.setAttribute("aria-expanded", event.newState === "open");
    if (event.newState === "open") panel.replaceChildren(...fill());
  });
  button.setAttribute("aria-expanded", "false");
  button.popoverTargetElement = panel;
  return panel;
}

/** Says something briefly at the foot of the page; `tone` is `plain` or `refusal`. */
export function toast(text, tone = "plain") {
  const note = h("div", { class: "toast", data: { tone } }, text);
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), 6000);
}
