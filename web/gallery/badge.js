// The badge that says how the page is live, and the strip that says that it is not.

import { h } from "./dom.js";

const STATUS = {
  websocket: ["Live", "WebSocket"],
  polling: ["Live", "long-polling"],
  rest: ["Live", "REST"],
  "catching-up": ["Catching up", ""],
  offline: ["Offline", ""],
};
const PATIENCE = 1500; // ms before an interruption is worth a strip

export class Badge {
  #client;
  #badge;
  #strip;
  #waiting = null;

  constructor(client, badge, strip) {
    this.#client = client;
    this.#badge = badge;
    this.#strip = strip;
    client.addEventListener("status", () => this.#render());
    window.addEventListener("online", () => this.#render());
    window.addEventListener("offline", () => this.#render());
    this.#render();
  }

  #render() {
    const { status } = this.#client;
    const [word, way] = STATUS[status];
    this.#badge.dataset.status = status;
    this.#badge.title = way ? `${word}, over ${way}` : word;
    this.#badge.replaceChildren(h("b", {}, word), way && h("small", {}, h("span", { class: "unseen" }, " over "), way));
    clearTimeout(this.#waiting);
    if (status !== "offline") this.#strip.hidden = true;
    else this.#waiting = setTimeout(() => this.#say(), PATIENCE);
  }

  #say() {
    const why = navigator.onLine ? "The gallery cannot be reached right now." : "You are offline.";
    this.#strip.textContent = `${why} What you see may be old; it catches up by itself.`;
    this.#strip.hidden = false;
  }
}
