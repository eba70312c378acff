// Lists of people: followers, followed, and whom one might follow.

import { h, portrait } from "./dom.js";
import { followButton } from "./follow.js";
import { toCreator } from "./addresses.js";
import { explain } from "./work.js";

const PAGE = 50;
const SUGGESTED = 6;

/** Followers of a creator, or whom they follow; more on request. */
export class People {
  #services;
  #userId;
  #which;
  #cursor = null;
  #list = h("ul", { class: "faces" });
  #foot = h("div", { class: "end" });

  constructor(services, userId, which) {
    this.#services = services;
    this.#userId = userId;
    this.#which = which;
    this.element = h("div", {}, this.#list, this.#foot);
  }

  async begin() {
    this.#cursor = null;
    this.#list.replaceChildren();
    await this.#more();
  }

  async #more() {
    try {
      const page = await this.#services.reading.people(this.#userId, this.#which, { cursor: this.#cursor, limit: PAGE });
      this.#list.append(...page.items.map((one) => h("li", {}, face(one))));
      this.#cursor = page.next_cursor;
      const nobody = this.#which === "followers" ? "Nobody follows yet." : "Follows nobody yet.";
      if (!this.#list.children.length) this.#foot.replaceChildren(h("p", { class: "empty" }, nobody));
      else if (page.next_cursor) this.#foot.replaceChildren(this.#button("More"));
      else this.#foot.replaceChildren();
    } catch (error) {
      this.#foot.replaceChildren(this.#button("Try again"));
      explain(error);
    }
  }

  #button(words) {
    return h("button", { class: "quiet", type: "button", on: { click: () => this.#more() } }, words);
  }
}

/** Somebody's portrait and name, leading to their page. */
export function face(user) {
  return h("a", { class: "face", href: toCreator(user.id) }, portrait(user), h("span", {}, user.display_name));
}

/** Whom one might follow who follows nobody: the creators of what is trending. */
export async function suggestions(services) {
  const { reading, follows, session } = services;
  const { posts } = await reading.wall({ feed: "trending", tags: [] }, { limit: 24 });
  const authors = new Map(posts.map(({ author }) => [author.id, author]));
  authors.delete(session.user?.id);
  const some = [...authors.values()].slice(0, SUGGESTED);
  await Promise.all(some.map(({ id }) => follows.fetch(id)));
  return h("ul", { class: "faces" }, some.map((one) => h("li", {}, face(one), followButton(services, one).element)));
}
