// What a wall is narrowed down to: words, a type, tags. Each choice is an address.

import { h, icon, popover } from "./dom.js";
import { toWall } from "./addresses.js";
import { MEDIA } from "./words.js";

const PAUSE = 350; // ms after which what was typed is looked for
const TAG = /^[a-z0-9]$|^[a-z0-9][a-z0-9-]{0,28}[a-z0-9]$/;
const OFFERED = 24;

export class Filters {
  #router;
  #place = null;
  #tags = () => [];
  #typing = null;
  #field = h("input", { type: "search", name: "q", maxlength: 200, placeholder: "Search titles and descriptions", "aria-label": "Search works", enterkeyhint: "search" });
  #types = h("ul", { class: "chips", "aria-label": "Types" });
  #chosen = h("ul", { class: "chips", "aria-label": "Chosen tags" });
  #tagButton = h("button", { class: "chip", type: "button", "aria-haspopup": "true" }, "Tags");

  constructor(router, place) {
    this.#router = router;
    const search = h("form", { class: "search", role: "search" }, icon("search"), this.#field);
    search.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#look();
    });
    this.#field.addEventListener("input", () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#look(), PAUSE);
    });
    const panel = popover(this.#tagButton, "Tags", () => this.#offer(panel));
    panel.classList.add("beside");
    place.append(search, h("div", { class: "chip-line" }, this.#types, this.#tagButton, panel, this.#chosen));
  }

  /** Shows the filters of a wall; `tags()` gives the tags to choose from, with how often they are there. */
  show(place, tags) {
    this.#place = place;
    this.#tags = tags;
    if (this.#field.value.trim() !== (place.words ?? "")) this.#field.value = place.words ?? "";
    const chip = (type, word) =>
      h("li", {}, h("a", { class: "chip", href: toWall({ ...place, type }), "aria-current": place.type === type ? "true" : null }, word));
    this.#types.replaceChildren(chip(null, "All"), ...Object.entries(MEDIA).map(([type, word]) => chip(type, word)));
    this.#chosen.replaceChildren(
      ...place.tags.map((tag) =>
        h("li", {}, h("a", { class: "chip chosen", href: this.#without(tag), "aria-label": `Remove tag ${tag}` }, `#${tag}`, icon("close"))),
      ),
    );
  }

  /** Puts the cursor into the field. */
  focus() {
    this.#field.focus();
    this.#field.select();
  }

  #without(tag) {
    return toWall({ ...this.#place, tags: this.#place.tags.filter((other) => other !== tag) });
  }

  #offer(panel) {
    const { tags: chosen } = this.#place;
    const pick = (tag) => {
      panel.hidePopover();
      this.#router.go(toWall({ ...this.#place, tags: [...new Set([...chosen, tag])] }));
    };
    const own = h("input", { type: "text", placeholder: "Any tag", "aria-label": "A tag", maxlength: 30, autocapitalize: "none" });
    const form = h("form", { class: "search" }, own);
    own.addEventListener("input", () => own.setCustomValidity(""));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const tag = own.value.trim().toLowerCase().replace(/^#/, "");
      if (TAG.test(tag)) return pick(tag);
      own.setCustomValidity("Tags are small letters, digits and hyphens.");
      own.reportValidity();
    });
    const offered = this.#tags().filter(([tag]) => !chosen.includes(tag)).slice(0, OFFERED);
    const chip = ([tag, times]) =>
      h("li", {}, h("button", { class: "chip", type: "button", on: { click: () => pick(tag) } }, `#${tag}`, h("small", {}, times)));
    return [form, h("ul", { class: "chips wrap" }, offered.map(chip))];
  }

  #look() {
    clearTimeout(this.#typing);
    const words = this.#field.value.trim() || null;
    if (!this.#place || words === this.#place.words) return;
    // One entry of the history for a search, not one for each letter.
    this.#router.go(toWall({ ...this.#place, words }), { replace: this.#place.words !== null });
  }
}
