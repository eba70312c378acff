// Works side by side, page after page as one walks along, each live while it is on the screen.

import { Card, ghost } from "./card.js";
import { h } from "./dom.js";
import { plural } from "./words.js";

const PAGE = 24;
const GHOSTS = 12;
const ROW = 4; // px: what the heights of works are counted in
const WATCHED = 80; // of the 100 topics that one socket may watch; the rest are what is featured, one's own and the room's

export class Hang {
  #services;
  #read;
  #empty;
  #cards = new Map(); // post id → card
  #cursor = null; // where the next page begins; null for the first
  #complete = false;
  #turn = 0; // answers of an earlier turn are left aside
  #loading = false;
  #refetching = null;
  #list = h("ul", { class: "hang" });
  #end = h("div", { class: "end" });
  #eyes;
  #foot;
  #sizes;

  /**
   * `read({cursor, limit})` gives a page `{posts, next, total}`; `empty()` what is shown where there are
   * no works at all.
   */
  constructor(services, { read, empty }) {
    this.#services = services;
    this.#read = read;
    this.#empty = empty;
    this.element = h("div", { class: "hanging" }, this.#list, this.#end);
    this.#eyes = new IntersectionObserver((seen) => this.#look(seen), { rootMargin: "200px" });
    this.#foot = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && this.#more(), { rootMargin: "900px" });
    this.#sizes = new ResizeObserver(() => this.#fit());
    this.#sizes.observe(this.#list);
  }

  get size() {
    return this.#cards.size;
  }

  /** How often each tag is on the works that hang here, the most frequent first. */
  get tags() {
    const found = new Map();
    for (const id of this.#cards.keys()) {
      for (const tag of this.#services.posts.get(id).tags) found.set(tag, (found.get(tag) ?? 0) + 1);
    }
    return [...found].sort(([, one], [, other]) => other - one);
  }

  /** The works' ids in their order. */
  get order() {
    return [...this.#cards.keys()];
  }

  has(postId) {
    return this.#cards.has(postId);
  }

  /** Hangs everything anew, from the beginning. */
  async begin() {
    this.#turn += 1;
    this.#loading = false;
    this.#cursor = null;
    this.#complete = false;
    for (const id of this.order) this.takeDown(id);
    this.#list.replaceChildren(...Array.from({ length: GHOSTS }, ghost));
    this.#fit();
    await this.#more();
    this.#foot.observe(this.#end);
  }

  /** Hangs nothing, and says why. */
  stay(empty) {
    this.#complete = true;
    this.#list.replaceChildren();
    this.#end.replaceChildren(empty);
  }

  /** Reads what hangs here anew, for works that events could not bring up to date. `unknown(post)` hears of others. */
  refetch(unknown = () => {}) {
    this.#refetching ??= this.#readAnew(unknown).finally(() => {
      this.#refetching = null;
    });
    return this.#refetching;
  }

  takeDown(postId) {
    const card = this.#cards.get(postId);
    if (!card) return;
    this.#cards.delete(postId);
    this.#eyes.unobserve(card.element);
    card.remove();
  }

  focus(postId) {
    const link = this.#cards.get(postId)?.link;
    link?.focus({ preventScroll: true });
    return Boolean(link);
  }

  /** Lets go of everything that was watched and observed for this. */
  end() {
    this.#turn += 1;
    for (const id of this.order) this.takeDown(id);
    for (const observer of [this.#eyes, this.#foot, this.#sizes]) observer.disconnect();
  }

  async #more() {
    if (this.#loading || this.#complete) return;
    this.#loading = true;
    const turn = this.#turn;
    const { client, posts } = this.#services;
    const { epoch } = client;
    this.#end.replaceChildren(h("p", { class: "unseen", role: "status" }, "Loading works"));
    try {
      const page = await this.#read({ cursor: this.#cursor, limit: PAGE });
      if (turn !== this.#turn) return;
      this.#dropGhosts();
      for (const post of page.posts) {
        posts.take(post, epoch);
        if (!this.#cards.has(post.id)) this.#hang(post.id);
      }
      this.#fit();
      this.#cursor = page.next;
      this.#complete = !page.next;
      if (!this.#cards.size) this.#end.replaceChildren(this.#empty());
      else if (!this.#complete) this.#end.replaceChildren(this.#moreButton("More"));
      else this.#end.replaceChildren(h("p", { class: "empty" }, plural(this.#cards.size, "work")));
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#dropGhosts();
      this.#end.replaceChildren(h("div", { class: "empty" }, h("p", {}, error.sentence ?? String(error)), this.#moreButton("Try again")));
      if (error.code === undefined) throw error;
      return;
    } finally {
      if (turn === this.#turn) this.#loading = false;
    }
    // The observer speaks only when the foot comes into view: a short page may leave it there.
    this.#foot.unobserve(this.#end);
    this.#foot.observe(this.#end);
  }

  #moreButton(words) {
    return h("button", { class: "quiet", type: "button", on: { click: () => this.#more() } }, words);
  }

  #dropGhosts() {
    for (const element of this.#list.querySelectorAll(".ghost")) element.remove();
  }

  async #readAnew(unknown) {
    const turn = this.#turn;
    const { client, posts } = this.#services;
    const { epoch } = client;
    let cursor = null;
    let read = 0;
    do {
      const page = await this.#read({ cursor, limit: 50 });
      if (turn !== this.#turn) return;
      for (const post of page.posts) {
        if (this.#cards.has(post.id)) posts.take(post, epoch);
        else if (read === 0) unknown(post);
      }
      read += page.posts.length;
      cursor = page.next;
    } while (cursor && read < this.#cards.size);
  }

  #hang(postId) {
    const card = new Card(this.#services, postId);
    this.#cards.set(postId, card);
    this.#list.append(card.element);
    this.#eyes.observe(card.element);
  }

  #look(seen) {
    for (const { target, isIntersecting } of seen) {
      const card = this.#cards.get(target.dataset.post);
      if (!card || card.watched === isIntersecting) continue;
      const watched = [...this.#cards.values()].filter((other) => other.watched).length;
      if (isIntersecting && watched >= WATCHED) continue;
      card.watch(isIntersecting);
    }
  }

  /**
   * Masonry that keeps the order of reading: a grid of thin rows, of which each work takes as many as it
   * is tall. Works of a kind are equally tall.
   */
  #fit() {
    if (!this.#list.clientWidth) return;
    const spans = new Map();
    for (const element of this.#list.children) {
      const { kind } = element.dataset;
      if (!spans.has(kind)) spans.set(kind, `span ${Math.ceil(element.offsetHeight / ROW)}`);
    }
    for (const element of this.#list.children) element.style.gridRowEnd = spans.get(element.dataset.kind);
  }
}
