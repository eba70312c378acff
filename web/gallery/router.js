// Going from view to view: links, the browser's back and forward, and where each view was scrolled to.

import { read } from "./addresses.js";

/**
 * Every entry of the browser's history has a key; a room's has a `base`, too: key and address of what it hangs before.
 * `show(place, {key, base})` is called whenever another entry is the current one.
 */
export class Router {
  #show;
  #entry = null;
  #scrolled = new Map(); // key → how far down, in pixels

  constructor(show) {
    this.#show = show;
    history.scrollRestoration = "manual";
    window.addEventListener("popstate", () => this.#arrive());
    document.addEventListener("click", (event) => this.#follow(event));
  }

  start() {
    this.#arrive();
  }

  /** Whether this page itself led to where one is, so that going back stays in it. */
  get deep() {
    return Boolean(history.state?.deep);
  }

  /** How far down the view of that key was when it was left. */
  scrolled(key) {
    return this.#scrolled.get(key) ?? 0;
  }

  /** Goes to an address; `replace` forgets where one was. */
  go(href, { replace = false } = {}) {
    const state = { key: newKey(), base: this.#below(), deep: replace ? this.deep : true };
    this.#leave();
    if (replace) history.replaceState(state, "", href);
    else history.pushState(state, "", href);
    this.#arrive();
  }

  back(otherwise) {
    if (this.deep) history.back();
    else this.go(otherwise);
  }

  /** What a room would hang before, if one were entered from here. */
  #below() {
    const { key, base, href } = this.#entry;
    return base ?? { key, href };
  }

  #leave() {
    if (this.#entry) this.#scrolled.set(this.#entry.base?.key ?? this.#entry.key, window.scrollY);
  }

  #arrive() {
    this.#leave();
    const place = read(new URL(location.href));
    let { state } = history;
    if (!state?.key) {
      state = { key: newKey(), base: null, deep: false };
      history.replaceState(state, "");
    }
    const alone = { key: `${state.key}-base`, href: "/" };
    const base = place?.view === "room" ? (state.base ?? alone) : null;
    this.#entry = { key: state.key, base, href: location.pathname + location.search };
    this.#show(place, this.#entry);
  }

  #follow(event) {
    const link = event.target.closest?.("a[href]");
    if (!link || link.target || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const url = new URL(link.href);
    if (url.origin !== location.origin || url.hash || !read(url)) return;
    event.preventDefault();
    this.go(url.pathname + url.search);
  }
}

function newKey() {
  return Math.random().toString(36).slice(2);
}
