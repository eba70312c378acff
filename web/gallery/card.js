// One work with its label, as it hangs on a wall.

import { h, icon } from "./dom.js";
import { toCreator, toPost } from "./addresses.js";
import { counter, likeButton, picture } from "./work.js";
import { MEDIUM } from "./words.js";

/** `element` follows what is known of the post until `remove()`. */
export class Card {
  #posts;
  #postId;
  #stop;
  #unwatch = null;

  constructor(services, postId) {
    const { posts } = services;
    this.#posts = posts;
    this.#postId = postId;
    const post = posts.get(postId);
    const like = likeButton(services, postId);
    const comments = counter("comment", "comment");
    const title = h("a", { class: "name", href: toPost(postId), tabindex: -1 });
    const notes = h("span", { class: "notes" });
    this.link = h("a", { class: "frame", href: toPost(postId) }, picture(post, "lazy"), notes);
    this.element = h(
      "li",
      { class: "work", data: { post: postId, kind: post.asset_type } },
      this.link,
      h(
        "div",
        { class: "label" },
        title,
        h("a", { class: "by", href: toCreator(post.user_id), title: `${MEDIUM[post.asset_type]} by ${post.author.display_name}` }, post.author.display_name),
        h("span", { class: "counts" }, like.button, comments.element),
      ),
    );
    const render = () => {
      const now = posts.get(postId);
      like.render();
      comments.show(now.comment_count);
      title.textContent = now.title;
      this.link.setAttribute("aria-label", `${now.title}, ${MEDIUM[now.asset_type].toLowerCase()} by ${now.author.display_name}`);
      notes.replaceChildren(...marks(now));
    };
    this.#stop = posts.read(postId, render);
    render();
  }

  get watched() {
    return this.#unwatch !== null;
  }

  /** Keeps the post live, or does so no longer. */
  watch(wanted) {
    if (wanted) this.#unwatch ??= this.#posts.watch(this.#postId);
    else {
      this.#unwatch?.();
      this.#unwatch = null;
    }
  }

  remove() {
    this.#stop();
    this.watch(false);
    this.element.remove();
  }
}

/** What is special about a post: that moderators put it forward, or took it away. */
export function marks(post) {
  return [
    post.is_featured && h("span", { class: "mark", title: "Featured" }, icon("star"), h("span", { class: "unseen" }, "Featured")),
    post.is_hidden && h("span", { class: "mark", data: { tone: "hidden" } }, icon("hidden"), "Hidden"),
  ].filter(Boolean);
}

/** What hangs there until the works have arrived. */
export function ghost(_, place) {
  const kinds = ["youtube_thumbnail", "twitch_emote", "twitch_banner", "overlay", "twitch_badge"];
  return h(
    "li",
    { class: "work ghost", data: { kind: kinds[place % 5] }, "aria-hidden": "true" },
    h("span", { class: "frame" }),
    h("span", { class: "label" }, h("span", { class: "name" }, " "), h("span", { class: "by" }, " ")),
  );
}
