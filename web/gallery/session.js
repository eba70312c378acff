// Who is looking. The token lives in this tab's storage, so that each tab can be somebody else.

import { Refusal, request } from "../client/rest.js";

const KEY = "vernissage.session";
const DEV = "/api/v1/session/dev";
const FRESH = 120; // s that a token has to last to be used again

/** A visitor, or a demo user with a token. Tells of sign-ins and sign-outs by a `change` event. */
export class Session extends EventTarget {
  #held = JSON.parse(sessionStorage.getItem(KEY) ?? "null");

  get user() {
    return this.#held?.user ?? null;
  }

  /** The name that one signed in with; null for a visitor. */
  get name() {
    return this.#held?.as ?? null;
  }

  /** Whether the reader is one of those who look after the gallery. */
  get moderates() {
    return this.#held !== null && ["moderator", "admin"].includes(claims(this.#held.token).role);
  }

  /** The demo users one can be; none where the gateway offers no such sign-in. */
  async candidates() {
    try {
      return (await request("GET", DEV)).users;
    } catch (refusal) {
      if (refusal.code === "NOT_FOUND" || refusal.code === "HTTP_404") return [];
      throw refusal;
    }
  }

  async signIn(as) {
    await this.#obtain(as);
    this.dispatchEvent(new Event("change"));
  }

  signOut() {
    this.#hold(null);
    this.dispatchEvent(new Event("change"));
  }

  /** A token that lasts for a while, null for a visitor; raises Refusal. */
  async token() {
    if (this.#held === null) return null;
    if (claims(this.#held.token).exp - Date.now() / 1000 < FRESH) await this.#obtain(this.#held.as);
    return this.#held.token;
  }

  async #obtain(as) {
    const { token, user } = await request("POST", DEV, { body: { as } });
    this.#hold({ as, token, user });
  }

  #hold(held) {
    this.#held = held;
    if (held) sessionStorage.setItem(KEY, JSON.stringify(held));
    else sessionStorage.removeItem(KEY);
  }
}

/** What a token says of its bearer. Only the gateway can tell whether that is true, and it does. */
function claims(token) {
  const [, payload] = token.split(".");
  const text = atob(payload.replaceAll("-", "+").replaceAll("_", "/"));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (each) => each.charCodeAt(0))));
}

/** Raises the Refusal that a visitor gets for what only users may do. */
export function requireUser(session) {
  if (!session.user) throw new Refusal({ code: "UNAUTHENTICATED", message: "Sign in to do that." });
}
