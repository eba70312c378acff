// The room: one work, its label, who looks at it, and what people say about it.

import { toCreator, toPost, toWall } from "./addresses.js";
import { marks } from "./card.js";
import { Comments } from "./comments.js";
import { h, icon, portrait, time } from "./dom.js";
import { followButton } from "./follow.js";
import { tools } from "./tools.js";
import { counter, explain, likeButton, picture } from "./work.js";
import { count, MEDIUM, plural } from "./words.js";
import { UNREACHABLE } from "../client/index.js";

export class Room {
  #services;
  #element;
  #wall;
  #step;
  #beside;
  #visit = null; // the work that is open: { postId, comments, here, unread, stops }

  /**
   * Covers `wall` with `element` while a work is open. `leave()` goes back to the wall, `step(by)` to the
   * work that hangs so many further on, if `beside(by)` there is one.
   */
  constructor(services, { element, wall, leave, step, beside }) {
    this.#services = services;
    this.#element = element;
    this.#wall = wall;
    this.#step = step;
    this.#beside = beside;
    services.client.addEventListener("status", () => {
      if (this.#visit?.unread && services.client.status !== "offline") this.#begin(this.#visit);
    });
    element.addEventListener("click", (event) => {
      if (event.target.closest("[data-close]")) leave();
    });
    document.addEventListener("keydown", (event) => {
      const elsewhere = event.target.closest("form, input, textarea") || document.querySelector(":popover-open, dialog[open]");
      if (!this.#visit || elsewhere || event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key === "Escape") leave();
      if (event.key === "ArrowLeft") step(-1);
      if (event.key === "ArrowRight") step(1);
    });
  }

  get postId() {
    return this.#visit?.postId ?? null;
  }

  async enter(postId) {
    this.#leave();
    const visit = { postId, comments: null, here: null, unread: false, stops: [] };
    this.#visit = visit;
    const known = this.#services.posts.get(postId);
    this.#element.setAttribute("aria-busy", "true");
    this.#element.replaceChildren(closeButton(), h("p", { class: "empty" }, "One moment …"));
    this.#open(true);
    if (known) this.#furnish(visit);
    await this.#begin(visit);
  }

  /** Reads the work for the first time; where nobody answers, again when somebody does. */
  async #begin(visit) {
    visit.unread = false;
    try {
      await this.#read(visit);
    } catch (error) {
      if (this.#visit !== visit) return;
      visit.unread = error.code === UNREACHABLE;
      if (visit.comments) explain(error);
      else this.#lament(error);
    } finally {
      if (this.#visit === visit) this.#element.removeAttribute("aria-busy");
    }
  }

  close() {
    if (!this.#visit) return;
    this.#leave();
    this.#element.replaceChildren();
    this.#open(false);
  }

  /** Takes what happened to the open work, beyond counters. */
  event(name, data) {
    if (data === null) return;
    if (name === "presence:changed") this.#visit.here?.(data);
    else this.#visit.comments?.event(name, data);
  }

  /** Reads the open work and its comments anew. Raises Refusal. */
  refetch() {
    return this.#read(this.#visit);
  }

  #leave() {
    for (const stop of this.#visit?.stops ?? []) stop();
    this.#visit?.comments?.end();
    this.#visit = null;
  }

  #open(open) {
    this.#element.hidden = !open;
    this.#wall.inert = open;
    document.body.classList.toggle("in-room", open);
    if (open) {
      this.#element.scrollTo({ top: 0 });
      this.#element.focus({ preventScroll: true });
    }
  }

  #lament(error) {
    const home = h("a", { class: "quiet", href: "/" }, "To the wall");
    this.#element.replaceChildren(closeButton(), h("div", { class: "empty" }, h("h2", { id: "room-title" }, "There is nothing here"), h("p", {}, error.message), home));
    if (error.code === undefined) throw error;
  }

  async #read(visit) {
    const { posts, reading, client } = this.#services;
    const { epoch } = client;
    const post = await reading.post(visit.postId);
    if (this.#visit !== visit) return;
    posts.take(post, epoch);
    if (!visit.comments) this.#furnish(visit);
    // After the post: so the page of comments holds whatever the post's position already includes.
    await visit.comments.reload();
  }

  #furnish(visit) {
    const { posts } = this.#services;
    const { postId } = visit;
    const post = posts.get(postId);
    const like = likeButton(this.#services, postId, true);
    const views = counter("eye", "view");
    const here = presence();
    const title = h("h2", { id: "room-title" });
    const about = h("div", { class: "about" });
    const notes = h("span", { class: "notes" });
    const follow = h("span", { class: "follow" });
    const desk = tools(this.#services, postId);
    const steps = this.#steps();
    visit.comments = new Comments(this.#services, postId);
    visit.here = here.show;
    const render = () => {
      const now = posts.get(postId);
      like.render();
      views.show(now.view_count);
      title.textContent = now.title;
      document.title = `${now.title} · Vernissage`;
      visit.comments.total(now.comment_count);
      about.replaceChildren(...description(posts, now));
      notes.replaceChildren(...marks(now));
      desk.render();
      steps.render();
    };
    this.#element.replaceChildren(
      closeButton(),
      h("figure", { class: "stage", data: { kind: post.asset_type } }, h("div", { class: "frame" }, picture(post, "eager")), steps.element),
      h(
        "div",
        { class: "wall-label" },
        h(
          "header",
          {},
          title,
          h("p", { class: "medium" }, MEDIUM[post.asset_type], ", ", time(post.created_at), " ", notes),
          h("div", { class: "byline" }, h("a", { class: "face", href: toCreator(post.user_id) }, portrait(post.author), h("span", { class: "by" }, post.author.display_name)), follow),
        ),
        about,
        h("div", { class: "counts" }, like.button, here.element, views.element),
        desk.element,
        visit.comments.element,
      ),
    );
    visit.stops.push(posts.read(postId, render), posts.watch(postId));
    render();
    this.#offerFollow(visit, post, follow).catch(explain);
  }

  #steps() {
    const button = (by, word, name) => h("button", { class: "plain", type: "button", "aria-label": word, title: word, on: { click: () => this.#step(by) } }, icon(name));
    const [before, next] = [button(-1, "The work before", "left"), button(1, "The next work", "right")];
    return {
      element: h("span", { class: "steps" }, before, next),
      render: () => {
        before.disabled = !this.#beside(-1);
        next.disabled = !this.#beside(1);
      },
    };
  }

  async #offerFollow(visit, { user_id: userId, author }, place) {
    const { follows, session } = this.#services;
    if (userId === session.user?.id) return;
    await follows.fetch(userId);
    if (this.#visit !== visit) return;
    const followers = h("span", { class: "followers" });
    const render = () => {
      followers.textContent = plural(follows.get(userId).stats.follower_count, "follower");
    };
    const button = followButton(this.#services, author);
    visit.stops.push(button.stop, follows.read(userId, render));
    render();
    place.replaceChildren(followers, button.element);
  }
}

/** How many look at the work, and the faces of some of them. */
function presence() {
  const faces = h("span", { class: "faces-here" });
  const words = h("span", {});
  return {
    element: h("span", { class: "here" }, faces, words),
    show({ viewers, sample }) {
      words.textContent = viewers ? `${count(viewers)} here now` : "";
      faces.replaceChildren(...sample.map((one) => h("span", { class: "one", title: one.display_name }, portrait(one))));
    },
  };
}

function closeButton() {
  return h("button", { class: "close", type: "button", "aria-label": "Back to the wall", data: { close: "" } }, icon("close"));
}

function description(posts, { description: text, tags, prompt_used: prompt, inspired_by_post_id: source }) {
  return [
    text && h("p", {}, text),
    prompt && h("details", {}, h("summary", {}, "Prompt"), h("p", { class: "prompt" }, prompt)),
    source && h("p", { class: "soft" }, "Inspired by ", h("a", { class: "inline", href: toPost(source) }, posts.get(source)?.title ?? "another work")),
    tags.length > 0 && h("ul", { class: "tags", "aria-label": "Tags" }, tags.map((tag) => h("li", {}, h("a", { class: "chip", href: toWall({ tags: [tag] }) }, `#${tag}`)))),
  ].filter(Boolean);
}
