// Posts, each kept as new as anything that was heard of it, with one's own likes counted in.

import { committed, isCounted, read, refused, shown, tally, told, wish } from "./tally.js";

const COUNTED = new Set(["comment:created", "comment:updated", "comment:deleted"]);

/**
 * Brings together what pages, events and acks say of a post. A counter that arrives late never replaces a newer
 * one: likes carry their own position, everything else the topic's.
 */
export class Posts {
  #client;
  #options;
  #entries = new Map(); // id → { post, epoch, likes, viewers, readers, wishing, watched, stop }
  #lost = null; // { ids, read }: those that are read afresh together

  /**
   * `refetch(ids)` reads posts afresh and gives them to `take`; by default each is asked for by itself.
   * `event(id, name, data, meta)` is told of everything that happens to a watched post, `gone(id)` of one that
   * may not be seen any more.
   */
  constructor(client, { refetch, event = () => {}, gone = () => {} } = {}) {
    this.#client = client;
    this.#options = { refetch, event, gone };
  }

  /** Takes a post as a page or an answer gave it, read in `epoch`: the client's before it was asked for. */
  take(post, epoch = this.#client.epoch) {
    const entry = this.#entries.get(post.id);
    if (!entry) {
      const likes = tally(post.is_liked, post.like_count, post.seq);
      const others = { viewers: 0, readers: new Set(), wishing: null, watched: 0, stop: null };
      this.#entries.set(post.id, { post, epoch, likes, ...others });
      return;
    }
    const same = entry.epoch === epoch;
    if (!same || post.seq >= entry.post.seq) {
      const reading = { on: post.is_liked, count: post.like_count, seq: post.seq };
      entry.likes = read(same ? entry.likes : { ...entry.likes, seq: null }, reading);
      // Views are told without a position; all that is sure of them is that they only grow.
      const views = same ? Math.max(post.view_count, entry.post.view_count) : post.view_count;
      entry.post = { ...entry.post, ...post, view_count: views };
      entry.epoch = epoch;
    }
    this.#tell(entry);
  }

  /** The post as it is to be shown; null for one that was never taken. */
  get(id) {
    const entry = this.#entries.get(id);
    if (!entry) return null;
    const { on, count } = shown(entry.likes);
    return { ...entry.post, is_liked: on, like_count: count };
  }

  /** How many watch the post, as far as that is known. */
  viewers(id) {
    return this.#entries.get(id)?.viewers ?? 0;
  }

  /** Calls `reader()` after every change of the post; answers how to stop that. */
  read(id, reader) {
    const { readers } = this.#entries.get(id);
    readers.add(reader);
    return () => readers.delete(reader);
  }

  /** Keeps a post up to date as long as anybody wishes it; answers how to wish that no more. */
  watch(id) {
    const entry = this.#entries.get(id);
    entry.watched += 1;
    entry.stop ??= this.#follow(id, entry);
    let wished = true;
    return () => {
      if (!wished) return;
      wished = false;
      entry.watched -= 1;
      if (entry.watched > 0) return;
      entry.stop?.();
      entry.stop = null;
    };
  }

  /** Likes a post, or does so no longer: shown at once, and taken back where the gateway refuses. Raises Refusal. */
  like(id, liked) {
    const entry = this.#entries.get(id);
    const wished = wish(entry.likes, liked);
    entry.likes = wished.tally;
    this.#tell(entry);
    if (wished.send) entry.wishing = this.#ask(id, entry, liked);
    return entry.wishing ?? Promise.resolve();
  }

  async #ask(id, entry, liked) {
    try {
      const answer = await this.#client.command(liked ? "post:like" : "post:unlike", { post_id: id });
      const { tally: likes, send } = committed(entry.likes, { on: answer.liked, count: answer.like_count, seq: answer.seq });
      entry.likes = likes;
      if (send) await this.#ask(id, entry, likes.sent);
    } catch (refusal) {
      entry.likes = refused(entry.likes);
      throw refusal;
    } finally {
      entry.wishing = null;
      this.#tell(entry);
    }
  }

  #follow(id, entry) {
    return this.#client.watch(entry.post.topic, {
      since: this.#position(entry),
      event: (name, data, meta) => {
        this.#apply(entry, name, data, meta);
        this.#options.event(id, name, data, meta);
      },
      refetch: () => this.#refetch(id),
      gone: () => {
        entry.stop = null;
        this.#options.gone(id);
      },
    });
  }

  #position({ post, epoch }) {
    return epoch === null ? null : { epoch, seq: post.seq };
  }

  /** Reads all posts afresh that were lost within one moment, together. */
  async #refetch(id) {
    const lost = (this.#lost ??= { ids: new Set(), read: null });
    lost.ids.add(id);
    lost.read ??= Promise.resolve().then(() => {
      this.#lost = null;
      return this.#options.refetch?.([...lost.ids]);
    });
    const { epoch } = this.#client;
    const entry = this.#entries.get(id);
    const before = entry.post;
    await lost.read.catch(unlessGone);
    if (entry.post === before || entry.epoch !== epoch) {
      this.take(await this.#client.command("post:get", { post_id: id }), epoch);
    }
    return this.#position(entry);
  }

  #apply(entry, name, data, { seq }) {
    const { post } = entry;
    if (seq <= post.seq) return; // a page was faster than the event
    const next = seq === undefined ? {} : { seq };
    if (data !== null) {
      if (name === "presence:changed") entry.viewers = data.viewers;
      if (name === "post:viewed") next.view_count = Math.max(data.view_count, post.view_count);
      if (COUNTED.has(name)) next.comment_count = data.comment_count;
      if (name === "post:updated") Object.assign(next, shared(data.post));
      if (name === "post:liked" || name === "post:unliked") {
        const me = this.#client.user?.id;
        const counted = me ? isCounted(me, data.actors, data.like_count) : null;
        entry.likes = told(entry.likes, { count: data.like_count, seq, counted });
      }
    }
    entry.post = { ...post, ...next };
    this.#tell(entry);
  }

  #tell({ readers }) {
    for (const reader of [...readers]) reader();
  }
}

/** Where some of many are no more, each is asked for by itself. */
function unlessGone(error) {
  if (!/NOT_FOUND$|^FORBIDDEN$/.test(error.code)) throw error;
}

/** What an edited post's event says for everybody; its counters come by events of their own. */
function shared({ title, description, tags, show_prompt: showPrompt, updated_at: updatedAt }) {
  return { title, description, tags, show_prompt: showPrompt, updated_at: updatedAt };
}
