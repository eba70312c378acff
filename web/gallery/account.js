// Who one is here, and the way to be somebody else.

import { toCreator } from "./addresses.js";
import { h, popover, portrait } from "./dom.js";
import { attempt } from "./work.js";
import { plural } from "./words.js";

/** What visitors are told who would have to be somebody for what is here, and the way to become so. */
export function invitation(words) {
  const account = document.querySelector("#account > button");
  const button = h("button", { class: "solid", type: "button" }, "Sign in");
  button.popoverTargetElement = account.popoverTargetElement;
  return h("div", { class: "empty" }, h("p", {}, words), !account.hidden && button);
}

/** Shown only where the gateway offers the demo sign-in. */
export class Account {
  #session;
  #candidates = [];
  #followers = null;
  #button = h("button", { class: "quiet account", type: "button" });
  #panel;

  constructor(session, place) {
    this.#session = session;
    this.#panel = popover(this.#button, "Account", () => this.#content());
    this.#panel.addEventListener("click", (event) => event.target.closest("a") && this.#panel.hidePopover());
    place.replaceChildren(this.#button, this.#panel);
    session.addEventListener("change", () => {
      this.#followers = null;
      this.render();
    });
    this.render();
  }

  /** The demo users one can be. */
  offer(candidates) {
    this.#candidates = candidates;
    this.render();
  }

  /** How many follow the signed-in user. */
  followers(count) {
    this.#followers = count;
    this.render();
  }

  render() {
    const { user } = this.#session;
    this.#button.hidden = !user && !this.#candidates.length;
    if (!user) {
      this.#button.replaceChildren("Sign in");
      return;
    }
    const followers = this.#followers === null ? null : h("small", { class: "followers" }, plural(this.#followers, "follower"));
    this.#button.replaceChildren(portrait(user), h("span", { class: "me" }, h("b", {}, user.display_name), followers));
  }

  #content() {
    const { user } = this.#session;
    const hint = user ? "Or be somebody else. Another tab can be a third." : "This is a demo: be whoever you like. Each tab can be somebody else.";
    return [
      user && h("a", { class: "row", href: toCreator(user.id) }, "Your page"),
      user && h("a", { class: "row", href: "/liked" }, "What you like"),
      user && this.#session.moderates && h("a", { class: "row", href: "/moderation" }, "Moderation"),
      user && h("button", { class: "row leave", type: "button", on: { click: () => this.#leave() } }, "Sign out"),
      this.#candidates.length > 0 && h("p", { class: "hint" }, hint),
      h("div", { class: "people" }, this.#candidates.map((one) => this.#person(one))),
    ].filter(Boolean);
  }

  #person(one) {
    const be = () => {
      this.#panel.hidePopover();
      attempt(() => this.#session.signIn(one.name));
    };
    const current = one.name === this.#session.name;
    return h(
      "button",
      { class: "row", type: "button", data: { as: one.name }, "aria-current": current ? "true" : null, on: { click: be } },
      portrait(one),
      h("span", {}, one.display_name, one.role !== "user" && h("small", {}, one.role)),
    );
  }

  #leave() {
    this.#panel.hidePopover();
    this.#session.signOut();
  }
}
