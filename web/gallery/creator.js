// A creator's page: who they are, how they are received, what they share, and who follows whom.

import { h, portrait, toast } from "./dom.js";
import { confirm } from "./dialog.js";
import { followButton } from "./follow.js";
import { Hang } from "./hang.js";
import { People } from "./people.js";
import { toCreator, toShare } from "./addresses.js";
import { attempt } from "./work.js";
import { count, DAY, plural } from "./words.js";

export class Creator {
  #services;
  #head = h("header", { class: "creator" });
  #content;
  #fresh = 0;
  #pill = h("button", { class: "pill", type: "button", hidden: true, on: { click: () => this.begin() } });
  #stop = () => {};

  /** `place` is a creator of addresses.js. */
  constructor(services, place) {
    this.#services = services;
    this.place = place;
    const { userId, list } = place;
    this.#content =
      list === "posts"
        ? new Hang(services, { read: (paging) => services.reading.worksOf(userId, paging), empty: () => this.#emptiness() })
        : new People(services, userId, list);
    this.element = h("div", {}, this.#head, this.#pill, this.#content.element);
  }

  get title() {
    return this.#services.follows.get(this.place.userId)?.user.display_name ?? "A creator";
  }

  get order() {
    return this.#content.order ?? [];
  }

  async begin() {
    this.#fresh = 0;
    this.#pill.hidden = true;
    await Promise.all([this.#read(), this.#content.begin()]);
  }

  refetch() {
    this.#read();
    return this.#content.refetch?.();
  }

  takeDown(postId) {
    this.#content.takeDown?.(postId);
  }

  focus(postId) {
    return this.#content.focus?.(postId) ?? false;
  }

  gallery(name, data) {
    if (name !== "post:created" || data?.post.user_id !== this.place.userId || this.place.list !== "posts") return;
    this.#fresh += 1;
    this.#pill.hidden = false;
    this.#pill.textContent = `${this.#fresh} new`;
  }

  own(name) {
    if (!this.#isMe || (name !== "user:followed" && name !== "user:unfollowed")) return;
    this.#read();
    if (this.place.list === "followers") this.#content.begin();
  }

  end() {
    this.#stop();
    this.#content.end?.();
  }

  get #isMe() {
    return this.#services.session.user?.id === this.place.userId;
  }

  async #read() {
    const { follows } = this.#services;
    try {
      await follows.fetch(this.place.userId);
    } catch (error) {
      this.#head.replaceChildren(h("p", { class: "empty" }, error.message));
      if (error.code === undefined) throw error;
      return;
    }
    this.#render();
  }

  #render() {
    const { follows, session } = this.#services;
    const { userId, list } = this.place;
    const { user, joined_at: joined } = follows.get(userId);
    this.#stop();
    const numbers = { posts: h("b", {}), followers: h("b", {}), following: h("b", {}) };
    const likes = h("span", {});
    const link = (which, word) =>
      h("li", {}, h("a", { href: toCreator(userId, which), "aria-current": list === which ? "page" : null }, numbers[which], ` ${word}`));
    const button = this.#isMe ? null : followButton(this.#services, user);
    const render = () => {
      const { stats } = follows.get(userId);
      numbers.posts.textContent = count(stats.post_count);
      numbers.followers.textContent = count(stats.follower_count);
      numbers.following.textContent = count(stats.following_count);
      likes.textContent = plural(stats.total_likes_received, "like");
    };
    const stopReading = follows.read(userId, render);
    this.#stop = () => {
      stopReading();
      button?.stop();
    };
    render();
    this.#head.replaceChildren(
      portrait(user),
      h(
        "div",
        { class: "who-is" },
        h("h1", { tabindex: -1 }, user.display_name, user.subscription_tier !== "free" && h("span", { class: "tier" }, user.subscription_tier)),
        h("p", { class: "soft" }, likes, " received, here since ", h("time", { datetime: joined, data: { exact: "" } }, DAY.format(new Date(joined)))),
      ),
      h("div", { class: "does" }, session.moderates && !this.#isMe && this.#bans(user), button?.element, this.#isMe && h("a", { class: "solid", href: toShare() }, "Share a work")),
      h(
        "nav",
        { class: "lists", "aria-label": `Of ${user.display_name}` },
        h("ul", {}, link("posts", "works"), link("followers", "followers"), link("following", "following")),
      ),
    );
    if (this.element.isConnected) document.title = `${this.title} · Vernissage`;
  }

  #emptiness() {
    if (!this.#isMe) return h("p", { class: "empty" }, "Nothing shared yet.");
    return h("div", { class: "empty" }, h("p", {}, "You have not shared anything yet."), h("p", {}, h("a", { class: "solid", href: toShare() }, "Share a work")));
  }

  /** Whether somebody is banned is told to nobody, so both are offered. */
  #bans(user) {
    return h(
      "span",
      { class: "desk" },
      h("button", { class: "tool", type: "button", on: { click: () => askToBan(this.#services, user) } }, "Ban …"),
      h("button", { class: "tool", type: "button", on: { click: () => lift(this.#services, user) } }, "Lift a ban"),
    );
  }
}

/** Asks a moderator why, and bans. */
export function askToBan({ client }, user) {
  confirm(`Ban ${user.display_name}?`, `${user.display_name} can still look at everything, but not share, like, comment or follow.`, {
    word: "Ban",
    reason: "Why (for the other moderators)",
    async send(reason) {
      await client.command("user:ban", { user_id: user.id, banned: true, reason });
      toast(`${user.display_name} is banned.`);
    },
  });
}

function lift({ client }, user) {
  return attempt(async () => {
    await client.command("user:ban", { user_id: user.id, banned: false });
    toast(`${user.display_name} may write.`);
  });
}
