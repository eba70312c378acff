// A connection to the gateway that stays: it comes back, catches up, and says what it does.

import { io as bundled } from "../vendor/socket.io-client/socket.io.esm.min.js";
import { newId } from "./ids.js";
import { Refusal, request, unreachable, UNREACHABLE } from "./rest.js";
import { ROUTES } from "./routes.js";
import { INITIAL, reduce, status } from "./topics.js";

const ACK_TIMEOUT = 8000; // ms
const GATHER = 30; // ms in which watches asked for one by one become a single command
const CONNECT_TIMEOUT = 10_000; // ms
const BACK = { reconnectionDelay: 500, reconnectionDelayMax: 5000 }; // ms
const WITHOUT = 5000; // ms without a session, or up to twice as many, until REST takes its place
const SETTLED = 5000; // ms after which a session counts as one that holds
const POLL = 1000; // ms between two requests for topics: half of what the gateway allows in the long run
const HURRY = 200; // ms between them while there is plenty left of that
const PLENTY = 10; // requests at once
const LONGEST = 30_000; // ms between two tries to get a token or a session
const HERE = import.meta.url.startsWith("http") ? new URL(import.meta.url).origin : undefined;

/**
 * Follows topics and sends commands, over WebSocket, long-polling or, where neither is to be had, REST.
 *
 * Tells of `status` (see the getter), `greeted` (a session began: what `session:ready` says is in `detail`), and
 * `ended` (the gateway ended the session or refuses it for good: the Refusal is in `detail`).
 */
export class Client extends EventTarget {
  #url;
  #socket;
  #token; // undefined: to be asked for; null: none, a visitor
  #getToken;
  #renewing = null;
  #user = null;
  #state = INITIAL;
  #status = "offline";
  #watchers = new Map(); // watch id → watcher
  #ids = 0;
  #open = false; // wanted to be connected
  #era = 0; // who one is; what began in an earlier one is left aside
  #closing = null; // what `session:closing` said
  #left = 0; // requests that the gateway would take at once
  #rest = null; // the turns that are being taken over REST; an object of its own each time
  #failures = 0; // since a session held
  #had = false; // a socket, at least once
  #timers = {}; // name → timer
  #online = () => {
    if (!this.#open || this.#socket.connected) return;
    this.#socket.disconnect(); // else it would wait for its next try
    this.#enter();
  };

  /**
   * `token` or `getToken()` say who one is; without either one is a visitor. `url` is the gateway's origin: by
   * default where this module came from. `io` is the official client's, where the one that is vendored cannot run.
   */
  constructor({ url = HERE, token, getToken = null, io = bundled, transports = ["polling", "websocket"] } = {}) {
    super();
    this.#url = new URL(url).origin;
    this.#token = token ?? (getToken ? undefined : null);
    this.#getToken = getToken;
    this.#socket = io(this.#url, {
      ...BACK,
      autoConnect: false,
      forceNew: true,
      rememberUpgrade: true, // whoever had a WebSocket comes back with one request
      timeout: CONNECT_TIMEOUT,
      transports,
      auth: (answer) => answer(this.#token ? { token: this.#token } : {}),
    });
    this.#listen();
  }

  /** `websocket`, `polling` or `rest` while live; `catching-up` until all topics are; `offline`. */
  get status() {
    return this.#status;
  }

  /** The history that positions belong to; null until the first session. */
  get epoch() {
    return this.#state.epoch;
  }

  /** Who one is, as the gateway says; null for visitors and before the first session. */
  get user() {
    return this.#user;
  }

  /** Connects, and stays connected until `close`. */
  connect() {
    if (this.#open) return;
    this.#open = true;
    globalThis.addEventListener?.("online", this.#online);
    this.#enter();
  }

  /** Leaves; what is watched stays known, and `connect` takes it up again. */
  close() {
    this.#open = false;
    globalThis.removeEventListener?.("online", this.#online);
    this.#leave();
  }

  /** From now on one is whom the token names: null for a visitor; left out, `getToken` is asked. */
  identify(token) {
    this.#token = token === undefined && !this.#getToken ? null : token;
    this.#renewing = null;
    this.#user = null;
    this.#leave();
    this.#open = false;
    this.connect();
  }

  /**
   * Signs out: the token is good no longer, here or anywhere, and one is a visitor. With `everywhere` that goes
   * for all of the user's tokens. Raises Refusal where the gateway could not be told: one is a visitor all the same.
   */
  async signOut({ everywhere = false } = {}) {
    const token = this.#token;
    this.identify(null);
    if (!token) return;
    const body = everywhere ? { everywhere } : {};
    await request("POST", `${this.#url}/api/v1/session/revoke`, { body, token });
  }

  /**
   * Follows a topic; answers how to stop that. `watcher` has
   * - `since`: the `{epoch, seq}` up to which the topic is known, if it is;
   * - `event(name, data, meta)`: takes the next event, each once and in order;
   * - `refetch({position, before})`: events cannot tell what happened since: read afresh. `before` is null the first
   *   time. Events wait until the promise is kept; what it answers, a `{epoch, seq}` or a seq, is how far what was
   *   read goes;
   * - `gone(refusal)`: the topic may not be watched, or is no more.
   *
   * All but `event` may be left out.
   */
  watch(topic, watcher) {
    this.#ids += 1;
    const id = this.#ids;
    this.#watchers.set(id, watcher);
    this.#take({ type: "watch", id, topic, since: watcher.since });
    return () => {
      if (this.#watchers.delete(id)) this.#take({ type: "stop", id });
    };
  }

  /** Follows one's own topic, whoever one is at the time. */
  watchOwn(watcher) {
    return this.watch(null, watcher);
  }

  /**
   * Carries out a command, over the socket while there is one, else over REST; answers what was committed, raises
   * Refusal. What makes something gets an `id`, so that however often it is sent it is made once.
   */
  async command(event, payload = {}) {
    const route = ROUTES[event];
    const command = route?.makes && payload.id === undefined ? { ...payload, id: newId() } : payload;
    const era = this.#era;
    const answer = this.#socket.connected ? await this.#emit(event, command) : null;
    if (answer?.error) throw new Refusal(answer.error);
    if (answer) return answer.data;
    if (!route || era !== this.#era) throw unreachable();
    const { method, path, ...rest } = requestOf(route, command);
    return this.request(method, path, rest);
  }

  /** Sends a request to the gateway; answers its JSON, raises Refusal. `path` begins with `/`. */
  async request(method, path, { body, query } = {}) {
    const paced = (left) => {
      this.#left = left;
    };
    const given = Object.entries(query ?? {}).filter(([, value]) => value != null);
    const url = this.#url + path + (given.length ? `?${new URLSearchParams(given)}` : "");
    while (this.#token === undefined) await this.#renew();
    const token = this.#token;
    try {
      return await request(method, url, { body, token, paced });
    } catch (refusal) {
      if (!token || refusal.code !== "TOKEN_EXPIRED" || !this.#getToken) throw refusal;
      if (this.#token === token) await this.#renew();
      return request(method, url, { body, token: this.#token, paced });
    }
  }

  #listen() {
    const socket = this.#socket;
    socket.on("session:ready", (ready) => {
      this.#had = true;
      this.#wait("settled", SETTLED, () => {
        this.#failures = 0;
      });
      this.#greeted({ ...ready, way: socket.io.engine.transport.name });
    });
    socket.on("auth:expiring", () => this.#refresh());
    socket.on("session:closing", ({ code }) => {
      this.#closing = code;
    });
    socket.on("connect_error", (error) => this.#refused(error));
    socket.on("disconnect", (reason) => this.#lost(reason));
    socket.onAny((name, data, meta) => {
      if (meta?.topic) this.#take({ type: "event", name, data, meta });
    });
    socket.io.on("open", () => {
      socket.io.engine.once("upgrade", ({ name }) => this.#take({ type: "upgraded", way: name }));
    });
  }

  /** Gets a token if there is none, and connects. */
  async #enter() {
    const era = this.#era;
    this.#without();
    try {
      if (this.#token === undefined) await this.#renew();
    } catch (error) {
      if (era === this.#era) this.#withoutToken(error);
      return;
    }
    if (era === this.#era && this.#open) this.#socket.connect();
  }

  /** If no session comes about in a while, REST takes its place. */
  #without() {
    this.#wait("without", WITHOUT * (1 + Math.random()), () => this.#fallBack());
  }

  #leave() {
    this.#era += 1;
    this.#rest = null;
    this.#closing = null;
    for (const name of Object.keys(this.#timers)) this.#cancel(name);
    this.#socket.disconnect();
    this.#take({ type: "down" });
  }

  #greeted({ user, way, epoch, topic, ...rest }) {
    this.#cancel("without");
    if (way !== "rest") {
      this.#rest = null;
      this.#cancel("turn");
    }
    this.#user = user;
    this.#take({ type: "ready", way, epoch, topic });
    this.dispatchEvent(new CustomEvent("greeted", { detail: { user, epoch, topic, ...rest } }));
  }

  #lost(reason) {
    const code = this.#closing;
    this.#closing = null;
    if (!this.#open || reason === "io client disconnect") return;
    this.#cancel("settled");
    this.#take({ type: "down" });
    this.#without();
    // The official client comes back by itself, but not where the gateway said goodbye.
    if (reason !== "io server disconnect") return;
    if (code === "token_expired") this.#again(true);
    else if (code === null) this.#again(false);
    else this.#end(new Refusal({ code, message: "Your session was ended." }));
  }

  /** The official client comes back by itself from a failing network, but not from a refusal. */
  #refused(error) {
    if (this.#socket.active) {
      this.#failures += 1;
      if (this.#failures > 1 && !this.#had) this.#fallBack();
      return;
    }
    const refusal = new Refusal({ code: "INTERNAL", message: error.message, ...error.data });
    if (refusal.code === "TOKEN_EXPIRED") this.#again(true);
    else if (refusal.retryAfter !== null) this.#again(false, refusal.retryAfter * 1000);
    else this.#end(refusal);
  }

  /** Connects again, at once the first time, then with growing pauses; with a new token if this one is spent. */
  #again(spent, least = 0) {
    if (spent && !this.#getToken) {
      this.#end(new Refusal({ code: "TOKEN_EXPIRED", message: "Your session has run out." }));
      return;
    }
    if (spent) this.#token = undefined;
    this.#failures += 1;
    const pause = this.#failures === 1 ? 0 : Math.min(LONGEST, 500 * 2 ** this.#failures) * (0.5 + Math.random() / 2);
    this.#wait("retry", Math.max(least, pause), () => this.#enter());
  }

  #withoutToken(error) {
    if (error.code === "UNAUTHENTICATED" || error.code === "FORBIDDEN") this.#end(error);
    else this.#again(true);
  }

  /** The session is over, and one stays out until `identify` or `connect`. */
  #end(refusal) {
    this.#open = false;
    if (this.#getToken) this.#token = undefined;
    this.#leave();
    this.dispatchEvent(new CustomEvent("ended", { detail: refusal }));
  }

  #renew() {
    if (this.#renewing) return this.#renewing;
    const renewing = Promise.resolve()
      .then(() => this.#getToken())
      .then(
        (token) => {
          if (renewing === this.#renewing) this.#token = token ?? null;
        },
        (error) => {
          if (error instanceof Refusal) throw error;
          throw new Refusal({ code: UNREACHABLE, message: "There is no token for now.", ...error });
        },
      )
      .finally(() => {
        if (renewing === this.#renewing) this.#renewing = null;
      });
    this.#renewing = renewing;
    return renewing;
  }

  /** Extends the session. Where that fails, it ends with its token, and another one begins. */
  async #refresh() {
    if (!this.#getToken) return;
    const era = this.#era;
    try {
      await this.#renew();
      if (era !== this.#era) return;
      if (this.#token === null) this.identify(null);
      else if (this.#socket.connected) {
        const answer = await this.#emit("auth:refresh", { token: this.#token });
        if (answer?.error?.code === "FORBIDDEN" && era === this.#era) this.identify(this.#token);
      }
    } catch (error) {
      if (era === this.#era && (error.code === "UNAUTHENTICATED" || error.code === "FORBIDDEN")) this.#end(error);
    }
  }

  /** No socket is to be had for now: topics are asked for one by one, until there is one. */
  #fallBack() {
    this.#cancel("without");
    if (!this.#open || this.#rest || this.#socket.connected) return;
    this.#rest = {};
    this.#turn(this.#rest);
  }

  async #turn(rest) {
    let pause = null;
    try {
      if (this.#state.way === null) {
        const who = await this.request("GET", "/api/v1/session");
        if (rest !== this.#rest) return;
        this.#greeted({ ...who, way: "rest", epoch: null });
      }
      await this.#take({ type: "turn" });
    } catch (error) {
      if (!(error instanceof Refusal)) raise(error);
      if (rest !== this.#rest) return;
      if (error.code === "UNAUTHENTICATED") return this.#end(error);
      pause = Math.max(2 * POLL, (error.retryAfter ?? 0) * 1000);
      this.#take({ type: "down" });
    }
    if (rest !== this.#rest) return;
    this.#wait("turn", pause ?? (this.#left >= PLENTY ? HURRY : POLL), () => this.#turn(rest));
  }

  /** Raises Refusal where nobody answers, or one is signed out. */
  async #poll({ number, id, topic, since }) {
    const path = `/api/v1/topics/${encodeURIComponent(topic)}/events`;
    try {
      const answer = await this.request("GET", path, { query: since ?? {} });
      this.#take({ type: "answered", number, ids: [id], answers: [answer] });
    } catch (refusal) {
      if (refusal.code === UNREACHABLE || refusal.code === "UNAUTHENTICATED") throw refusal;
      this.#take({ type: "answered", number, ids: [id], answers: [{ error: plain(refusal) }] });
    }
  }

  /** What the gateway acks; null where nobody does. */
  #emit(event, payload) {
    return this.#socket
      .timeout(ACK_TIMEOUT)
      .emitWithAck(event, payload)
      .catch(() => null);
  }

  /** Gives an input to the reducer, and carries out what it says. */
  #take(input) {
    const [state, effects] = reduce(this.#state, input);
    this.#state = state;
    const done = effects.map((effect) => this.#carryOut(effect));
    const now = status(this.#state);
    if (now !== this.#status) {
      this.#status = now;
      this.dispatchEvent(new Event("status"));
    }
    return Promise.all(done);
  }

  #carryOut(effect) {
    const watcher = this.#watchers.get(effect.id);
    switch (effect.type) {
      case "soon":
        this.#timers.soon ??= setTimeout(() => this.#run("soon", { type: "flush" }), GATHER);
        return null;
      case "later":
        this.#timers.later ??= setTimeout(() => this.#run("later", { type: "again" }), effect.ms);
        return null;
      case "watch":
        return this.#ask(effect);
      case "unwatch":
        this.#socket.emit("topic:unwatch", { topics: effect.topics.map((topic) => ({ topic })) });
        return null;
      case "poll":
        return this.#poll(effect);
      case "tell":
        return tell(() => watcher?.event(effect.name, effect.data, effect.meta));
      case "refetch":
        return this.#read(watcher, effect);
      default:
        this.#watchers.delete(effect.id);
        return tell(() => watcher?.gone?.(new Refusal(effect.refusal)));
    }
  }

  async #ask({ number, ids, topics }) {
    const answer = await this.#emit("topic:watch", { topics });
    if (answer?.data) this.#take({ type: "answered", number, ids, answers: answer.data.topics });
    else this.#take({ type: "unanswered", number });
  }

  async #read(watcher, { id, number, position, before }) {
    try {
      const known = await watcher?.refetch?.({ position, before });
      const read = typeof known === "number" ? { epoch: position.epoch, seq: known } : known;
      this.#take({ type: "read", id, number, position: read });
    } catch (error) {
      if (!(error instanceof Refusal)) raise(error);
      this.#take({ type: "unread", id, number, refusal: plain(error) });
    }
  }

  #run(name, input) {
    delete this.#timers[name];
    this.#take(input);
  }

  #wait(name, ms, call) {
    this.#cancel(name);
    this.#timers[name] = setTimeout(() => {
      delete this.#timers[name];
      call();
    }, ms);
  }

  #cancel(name) {
    clearTimeout(this.#timers[name]);
    delete this.#timers[name];
  }
}

/** A fault of the application's is its own, and keeps nobody else from what follows. */
function tell(call) {
  try {
    call();
  } catch (error) {
    raise(error);
  }
}

function raise(error) {
  queueMicrotask(() => {
    throw error;
  });
}

/** A refusal as acks have it. */
function plain({ code = "INTERNAL", message, details = {}, retryAfter }) {
  return { code, message, details, ...(retryAfter == null ? {} : { retry_after: retryAfter }) };
}

/** The request that does what a command does: fields of its path, the others in query or body. */
function requestOf({ method, path }, command) {
  const rest = { ...command };
  const there = path.replace(/\{(\w+)\}/g, (_, name) => {
    delete rest[name];
    return encodeURIComponent(command[name]);
  });
  if (!Object.keys(rest).length) return { method, path: there };
  return { method, path: there, [method === "GET" || method === "DELETE" ? "query" : "body"]: rest };
}
