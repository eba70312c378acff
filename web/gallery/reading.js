// What this page reads over REST, as whoever is signed in at that moment.

const COMMUNITY = "/api/v1/community";

export class Reading {
  #client;

  constructor(client) {
    this.#client = client;
  }

  /** A page of what hangs on a wall: `{posts, next, total}`. */
  async wall({ feed, type, tags, words }, { cursor, limit }) {
    if (feed === "liked") return works(await this.#get("/posts/liked", { cursor, limit }));
    const filters = { asset_type: type, tags: tags.join(",") || null, cursor, limit };
    if (!words) {
      const page = await this.#get("/feed", { feed_type: feed, ...filters });
      return { posts: page.posts, next: page.next_cursor, total: page.total_count };
    }
    // By words alone, what fits best comes first; under filters what is newest.
    if (type || tags.length) return works(await this.#get("/posts", { search: words, ...filters }));
    return works(await this.#get("/posts/search", { q: words, cursor, limit }));
  }

  async worksOf(userId, { cursor, limit }) {
    return works(await this.#get(`/users/${userId}/posts`, { cursor, limit }));
  }

  /** Everything the reader shared, as far as `most`. */
  async mine(most) {
    return this.#all("/posts/mine", most);
  }

  async myAssets(most) {
    return this.#all("/assets/mine", most);
  }

  async featured() {
    return (await this.#get("/posts/featured", { limit: 10 })).items;
  }

  post(id) {
    return this.#get(`/posts/${id}`);
  }

  comments(id, { cursor, limit }) {
    return this.#get(`/posts/${id}/comments`, { cursor, limit });
  }

  /** A page of `followers` or of `following`. */
  people(id, list, { cursor, limit }) {
    return this.#get(`/users/${id}/${list}`, { cursor, limit });
  }

  notifications({ cursor = null, limit }) {
    return this.#get("/notifications", { cursor, limit });
  }

  /** Reports of one status, newest first; for moderators. */
  reports(status, { cursor, limit }) {
    return this.#get("/admin/reports", { status, cursor, limit });
  }

  async #all(path, most) {
    const items = [];
    let cursor = null;
    do {
      const page = await this.#get(path, { cursor, limit: 50 });
      items.push(...page.items);
      cursor = page.next_cursor;
    } while (cursor && items.length < most);
    return items;
  }

  #get(path, query) {
    return this.#client.request("GET", COMMUNITY + path, { query });
  }
}

function works({ items, next_cursor: next, total }) {
  return { posts: items, next, total };
}
