// The bell: what happened to what is one's own.

import { toCreator, toPost } from "./addresses.js";
import { h, icon, popover, portrait, time, toast } from "./dom.js";
import { attempt } from "./work.js";
import { saying } from "./words.js";

const PAGE = 20;

export class Notices {
  #services;
  #known = new Map(); // notification id → notification
  #unseen = 0;
  #cursor = null;
  #turn = 0;
  #badge = h("span", { class: "badge", hidden: true });
  #button = h("button", { class: "quiet bell", type: "button" }, icon("bell"), this.#badge);
  #list = h("ul", {});
  #more = h("button", { class: "row more", type: "button", hidden: true, on: { click: () => attempt(() => this.#read()) } }, "Earlier");
  #panel;

  constructor(services, place) {
    this.#services = services;
    this.#panel = popover(this.#button, "Notifications", () => [this.#list, this.#more]);
    this.#panel.addEventListener("toggle", (event) => {
      if (event.newState !== "open") return;
      this.#renderList();
      this.#see();
    });
    place.replaceChildren(this.#button, this.#panel);
    this.#panel.addEventListener("click", (event) => event.target.closest("a") && this.#panel.hidePopover());
    this.clear();
  }

  /** Reads the inbox from its beginning; a visitor has none. */
  async begin() {
    this.clear();
    if (!this.#services.session.user) return;
    this.#button.hidden = false;
    await this.#read();
  }

  /** Takes a notification as it stands now, new or not; one with a count of 0 was taken back. */
  take(notification, isNew) {
    const before = this.#known.get(notification.id);
    // One that is further down than was read has waited until now: only those change.
    this.#unseen += waits(notification) - (before || isNew ? waits(before) : 1);
    this.#known.delete(notification.id);
    if (notification.count > 0) this.#known.set(notification.id, notification);
    const grown = notification.count > (before?.count ?? 0);
    if (grown && !notification.seen) toast(saying(notification));
    this.#render();
    if (this.#open) this.#renderList();
    if (this.#open && !notification.seen) this.#see();
  }

  clear() {
    this.#turn += 1;
    this.#known.clear();
    this.#unseen = 0;
    this.#cursor = null;
    this.#button.hidden = true;
    if (this.#open) this.#panel.hidePopover();
    this.#render();
  }

  get #open() {
    return this.#panel.matches(":popover-open");
  }

  async #read() {
    const turn = this.#turn;
    const page = await this.#services.reading.notifications({ cursor: this.#cursor, limit: PAGE });
    if (turn !== this.#turn) return;
    for (const notification of page.items) {
      const heard = this.#known.get(notification.id);
      if (!heard || heard.updated_at <= notification.updated_at) this.#known.set(notification.id, notification);
    }
    this.#unseen = page.unseen_count;
    this.#cursor = page.next_cursor;
    this.#render();
    if (this.#open) this.#renderList();
  }

  /** All that is listed has been seen now; the reader's other screens are told by the gateway. */
  #see() {
    const newest = this.#inOrder()[0];
    if (!newest || !this.#unseen) return;
    attempt(async () => {
      const { unseen_count: unseen } = await this.#services.client.command("notification:see", { before: newest.updated_at });
      this.#unseen = unseen;
      for (const [id, each] of this.#known) if (each.updated_at <= newest.updated_at) this.#known.set(id, { ...each, seen: true });
      this.#render();
    });
  }

  #inOrder() {
    return [...this.#known.values()].sort((one, other) => (one.updated_at < other.updated_at ? 1 : -1));
  }

  #render() {
    const size = Math.max(0, this.#unseen);
    this.#badge.hidden = size === 0;
    this.#badge.textContent = size > 99 ? "99+" : size;
    this.#button.setAttribute("aria-label", size ? `Notifications, ${size} new` : "Notifications");
  }

  #renderList() {
    this.#more.hidden = this.#cursor === null;
    const all = this.#inOrder();
    if (!all.length) this.#list.replaceChildren(h("li", { class: "empty" }, "When somebody likes, comments or follows, it says so here."));
    else this.#list.replaceChildren(...all.map((each) => h("li", {}, notice(each))));
  }
}

function notice(notification) {
  const { subject, actors, updated_at: at, seen } = notification;
  const words = h("span", {}, saying(notification), " ", time(at), !seen && h("span", { class: "unseen" }, ", new"));
  const href = subject.type === "post" ? toPost(subject.id) : actors[0] ? toCreator(actors[0].id) : null;
  return h("a", { class: "row", href, data: { seen } }, actors[0] && portrait(actors[0]), words);
}

/** 1 for a notification that waits to be seen. */
function waits(notification) {
  return notification && notification.count > 0 && !notification.seen ? 1 : 0;
}
