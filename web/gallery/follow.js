// Following a creator: a button that answers at once, wherever the creator is shown.

import { h } from "./dom.js";
import { requireUser } from "./session.js";
import { attempt } from "./work.js";

/** The button for a creator who was read already: `{element, stop}`; call `stop` when it goes. */
export function followButton({ follows, session }, { id, display_name: name }) {
  const button = h("button", { class: "quiet", type: "button" });
  const render = () => {
    const following = follows.get(id).is_following;
    button.setAttribute("aria-pressed", following);
    button.setAttribute("aria-label", following ? `Following ${name}` : `Follow ${name}`);
    button.textContent = following ? "Following" : "Follow";
  };
  button.addEventListener("click", () =>
    attempt(async () => {
      requireUser(session);
      await follows.follow(id, !follows.get(id).is_following);
    }),
  );
  render();
  return { element: button, stop: follows.read(id, render) };
}
