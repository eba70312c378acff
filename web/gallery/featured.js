// The featured row: what moderators have put forward, side by side above the wall.

import { Card } from "./card.js";
import { h } from "./dom.js";
import { explain } from "./work.js";

/** `element` is hidden as long as nothing is featured. */
export class Featured {
  #services;
  #cards = new Map(); // post id → card
  #list = h("ul", { class: "strip", tabindex: 0, "aria-label": "Featured works" });
  #turn = 0;

  constructor(services) {
    this.#services = services;
    this.element = h("section", { class: "featured", hidden: true }, h("h2", {}, "Featured"), this.#list);
  }

  /** Reads anew what is featured. */
  async refresh() {
    const turn = ++this.#turn;
    const { client, reading, posts } = this.#services;
    const { epoch } = client;
    let found;
    try {
      found = await reading.featured();
    } catch (error) {
      return explain(error);
    }
    if (turn !== this.#turn) return;
    for (const post of found) posts.take(post, epoch);
    const ids = new Set(found.map(({ id }) => id));
    for (const id of [...this.#cards.keys()]) if (!ids.has(id)) this.takeDown(id);
    for (const id of ids) {
      if (this.#cards.has(id)) continue;
      const card = new Card(this.#services, id);
      card.watch(true);
      this.#cards.set(id, card);
    }
    this.#list.replaceChildren(...[...ids].map((id) => this.#cards.get(id).element));
    this.element.hidden = ids.size === 0;
  }

  takeDown(postId) {
    const card = this.#cards.get(postId);
    if (!card) return;
    this.#cards.delete(postId);
    card.remove();
    this.element.hidden = this.#cards.size === 0;
  }

  end() {
    this.#turn += 1;
    for (const id of [...this.#cards.keys()]) this.takeDown(id);
  }
}
