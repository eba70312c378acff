// A wall: one feed or what was searched for, with what is featured above it.

import { invitation } from "./account.js";
import { h } from "./dom.js";
import { Featured } from "./featured.js";
import { Hang } from "./hang.js";
import { suggestions } from "./people.js";
import { explain } from "./work.js";
import { MEDIA, plural } from "./words.js";

const NAMES = { recent: "Recent works", trending: "Trending works", following: "From those you follow", liked: "What you like" };
const FOR_USERS = { following: "Sign in to see what those you follow share.", liked: "Sign in to see what you like." };

export class Wall {
  #services;
  #hang;
  #featured = null;
  #fresh = new Set();
  #pill = h("button", { class: "pill", type: "button", hidden: true, on: { click: () => this.begin() } });

  /** `place` is a wall of addresses.js. */
  constructor(services, place) {
    this.#services = services;
    this.place = place;
    this.#hang = new Hang(services, {
      read: (paging) => services.reading.wall(place, paging),
      empty: () => this.#emptiness(),
    });
    if (this.#plain && (place.feed === "recent" || place.feed === "trending")) this.#featured = new Featured(services);
    const shown = this.#plain && place.feed !== "liked" ? "unseen" : "heading";
    this.element = h("div", {}, h("h1", { class: shown, tabindex: -1 }, this.title), this.#pill, this.#featured?.element, this.#hang.element);
  }

  get title() {
    const { feed, type, tags, words } = this.place;
    if (this.#plain) return NAMES[feed];
    const what = type ? MEDIA[type] ?? "Works" : "Works";
    const about = [words && `“${words}”`, tags.length > 0 && tags.map((tag) => `#${tag}`).join(" ")].filter(Boolean).join(", ");
    return about ? `${what}: ${about}` : `${what}, ${NAMES[feed].toLowerCase()}`;
  }

  get tags() {
    return this.#hang.tags;
  }

  get order() {
    return this.#hang.order;
  }

  /** Hangs everything anew, from the beginning. */
  async begin() {
    this.#fresh.clear();
    this.#renderPill();
    if (this.place.feed in FOR_USERS && !this.#services.session.user) {
      this.#hang.stay(invitation(FOR_USERS[this.place.feed]));
      return;
    }
    if (this.element.isConnected) window.scrollTo({ top: 0 });
    await Promise.all([this.#hang.begin(), this.#featured?.refresh()]);
  }

  refetch() {
    this.#featured?.refresh();
    const announces = this.#plain && this.place.feed === "recent";
    return this.#hang.refetch((post) => announces && this.#announce(post.id));
  }

  takeDown(postId) {
    this.#fresh.delete(postId);
    this.#renderPill();
    this.#hang.takeDown(postId);
    this.#featured?.takeDown(postId);
  }

  focus(postId) {
    return this.#hang.focus(postId);
  }

  /** What the gallery tells everybody. */
  gallery(name, data) {
    const { feed } = this.place;
    if (name === "trending:refreshed" && feed === "trending" && this.#plain) this.#announce(name);
    if (name === "post:featured") this.#featured?.refresh();
    if (data === null || name !== "post:created") return;
    if (feed === "recent" && this.#shows(data.post)) this.#announce(data.post.id);
  }

  /** What the gateway tells the reader alone. */
  own(name, data) {
    if (name === "feed:post_created" && this.place.feed === "following" && this.#shows(data.post)) this.#announce(data.post.id);
  }

  end() {
    this.#hang.end();
    this.#featured?.end();
  }

  /** Nothing is filtered. */
  get #plain() {
    const { type, tags, words } = this.place;
    return !type && !tags.length && !words;
  }

  #shows(post) {
    const { type, tags, words } = this.place;
    return !words && (!type || type === post.asset_type) && tags.every((tag) => post.tags.includes(tag));
  }

  #announce(postId) {
    if (this.#hang.has(postId)) return;
    this.#fresh.add(postId);
    this.#renderPill();
  }

  #renderPill() {
    const { size } = this.#fresh;
    this.#pill.hidden = size === 0;
    this.#pill.textContent = this.place.feed === "trending" ? "The ranking has changed" : plural(size, "new work");
  }

  #emptiness() {
    const { feed } = this.place;
    if (!this.#plain) {
      return h("div", { class: "empty" }, h("p", {}, "Nothing here fits."), h("p", {}, h("a", { class: "quiet", href: feed === "recent" ? "/" : `/${feed}` }, "Show everything")));
    }
    if (feed === "following") {
      const element = h("div", { class: "empty" }, h("p", {}, "Follow somebody, and what they share hangs here."));
      suggestions(this.#services).then((people) => element.append(people), explain);
      return element;
    }
    return h("p", { class: "empty" }, { trending: "Nothing is trending yet. The ranking is made anew every few minutes.", liked: "What you give a red dot hangs here." }[feed] ?? "Nothing hangs here yet.");
  }
}
