// Whom one follows, shown before it is confirmed.

import { committed, read, refused, shown, tally, wish } from "./tally.js";

/** What is known of creators: whether one follows them, and how many do. */
export class Follows {
  #client;
  #entries = new Map(); // user id → { profile, follows, answers, following, readers }

  constructor(client) {
    this.#client = client;
  }

  /** Reads a creator's profile; answers it as it is to be shown. Raises Refusal. */
  async fetch(userId) {
    const answers = this.#entries.get(userId)?.answers;
    const profile = await this.#client.command("user:get", { user_id: userId });
    const [on, count] = [profile.is_following, profile.stats.follower_count];
    const entry = this.#entries.get(userId);
    if (!entry) {
      this.#entries.set(userId, { profile, follows: tally(on, count), answers: 0, following: null, readers: new Set() });
    } else {
      entry.profile = profile;
      // A profile says nothing of when it was read: one that was asked for before the last answer is older.
      if (answers === entry.answers) entry.follows = read(entry.follows, { on, count });
      this.#tell(entry);
    }
    return this.get(userId);
  }

  /** The profile as it is to be shown; null for one that was never read. */
  get(userId) {
    const entry = this.#entries.get(userId);
    if (!entry) return null;
    const { on, count } = shown(entry.follows);
    return { ...entry.profile, is_following: on, stats: { ...entry.profile.stats, follower_count: count } };
  }

  /** Calls `reader()` after every change; answers how to stop that. */
  read(userId, reader) {
    const { readers } = this.#entries.get(userId);
    readers.add(reader);
    return () => readers.delete(reader);
  }

  /** Follows a creator, or no longer: shown at once, and taken back where the gateway refuses. Raises Refusal. */
  follow(userId, following) {
    const entry = this.#entries.get(userId);
    const wished = wish(entry.follows, following);
    entry.follows = wished.tally;
    this.#tell(entry);
    if (wished.send) entry.following = this.#ask(userId, entry, following);
    return entry.following ?? Promise.resolve();
  }

  async #ask(userId, entry, following) {
    try {
      const answer = await this.#client.command(following ? "user:follow" : "user:unfollow", { user_id: userId });
      entry.answers += 1;
      const { tally: follows, send } = committed(entry.follows, { on: answer.following, count: answer.follower_count });
      entry.follows = follows;
      if (send) await this.#ask(userId, entry, follows.sent);
    } catch (refusal) {
      entry.follows = refused(entry.follows);
      throw refusal;
    } finally {
      entry.following = null;
      this.#tell(entry);
    }
  }

  #tell({ readers }) {
    for (const reader of [...readers]) reader();
  }
}
