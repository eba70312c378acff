// Drives the client library for the tests: commands are lines of JSON on stdin, and what happens to
// each client comes as lines of JSON on stdout. Ends with its stdin. It is also compiled, against the types.

import { createInterface } from "node:readline";
import { io } from "socket.io-client";
import { Client, Follows, newId, Posts, Refusal, UNREACHABLE, type Command, type Watcher } from "../../web/client/index.js";
import type { Position, Post } from "../../web/client/vernissage.js";

interface Known {
  client: Client;
  posts: Posts;
  follows: Follows;
  tokens: (string | null)[];
  stops: Map<string, () => void>;
}

interface Order {
  do: keyof typeof orders;
  client: string;
  [field: string]: any;
}

const clients = new Map<string, Known>();

function tell(client: string, what: object): void {
  process.stdout.write(`${JSON.stringify({ client, ...what })}\n`);
}

function known(name: string): Known {
  const found = clients.get(name);
  if (!found) throw new Error(`there is no ${name}`);
  return found;
}

function why(error: unknown): object {
  if (!(error instanceof Refusal)) throw error;
  const { code, message, details, retryAfter, sentence } = error;
  return { code, message, details, retry_after: retryAfter, sentence, nobody: code === UNREACHABLE };
}

const orders = {
  // `tokens` are what `getToken` gives, one after the other; null where there is none for now.
  open({ client: name, url, token, tokens, transports }: Order): void {
    const { client, ...rest } = make(name, url, token, tokens, transports);
    clients.set(name, { client, ...rest });
    client.addEventListener("status", () => tell(name, { status: client.status }));
    client.addEventListener("greeted", ({ detail }) => tell(name, { greeted: detail.user?.id ?? null }));
    client.addEventListener("ended", ({ detail }) => tell(name, { ended: detail.code }));
    client.connect();
  },

  watch({ client: name, watch, topic, since, reads }: Order): void {
    const { client, stops } = known(name);
    const watcher: Watcher = {
      since,
      event: (event, data, meta) => tell(name, { watch, event: [event, data, meta] }),
      refetch: async ({ position, before }: { position: Position; before: Position | null }) => {
        tell(name, { watch, refetch: { position, before } });
        if (!reads) return undefined;
        const { seq } = await client.command("post:get", { post_id: reads });
        return seq;
      },
      gone: ({ code }) => tell(name, { watch, gone: code }),
    };
    stops.set(watch, topic === null ? client.watchOwn(watcher) : client.watch(topic, watcher));
  },

  stop({ client, watch }: Order): void {
    known(client).stops.get(watch)?.();
  },

  command({ client, id, event, payload }: Order): void {
    known(client).client.command(event as Command, payload).then(
      (data) => tell(client, { id, data }),
      (error) => tell(client, { id, refused: why(error) }),
    );
  },

  // Shows a post from now on: as `{shown: [id, like_count, is_liked, comment_count]}` after every change.
  async show({ client: name, post }: Order): Promise<void> {
    const { client, posts } = known(name);
    const { epoch } = client;
    posts.take(await client.request<Post>("GET", `/api/v1/community/posts/${post}`), epoch);
    const show = () => {
      const { like_count, is_liked, comment_count } = posts.get(post)!;
      tell(name, { shown: [post, like_count, is_liked, comment_count], viewers: posts.viewers(post) });
    };
    posts.read(post, show);
    posts.watch(post);
    show();
  },

  like({ client, id, post, liked }: Order): void {
    known(client).posts.like(post, liked).then(
      () => tell(client, { id, data: null }),
      (error) => tell(client, { id, refused: why(error) }),
    );
  },

  async follow({ client: name, id, user, following }: Order): Promise<void> {
    const { follows } = known(name);
    await follows.fetch(user);
    const stop = follows.read(user, () => {
      const { is_following, stats } = follows.get(user)!;
      tell(name, { follows: [is_following, stats.follower_count] });
    });
    await follows.follow(user, following).then(
      () => tell(name, { id, data: null }),
      (error) => tell(name, { id, refused: why(error) }),
    );
    stop();
  },

  identify({ client, token }: Order): void {
    known(client).client.identify(token);
  },

  leave({ client, id, everywhere }: Order): void {
    known(client).client.signOut({ everywhere }).then(
      () => tell(client, { id, data: null }),
      (error) => tell(client, { id, refused: why(error) }),
    );
  },

  close({ client }: Order): void {
    known(client).client.close();
  },
};

function make(name: string, url: string, token: string, tokens: (string | null)[] | undefined, transports: ("polling" | "websocket")[]): Known {
  const left = tokens ?? [];
  const client = new Client({
    url,
    token,
    io,
    transports,
    getToken: tokens
      ? async () => {
          const next = left.shift();
          tell(name, { asked: next !== null });
          if (next === undefined) throw new Refusal({ code: "UNAUTHENTICATED", message: "No more tokens." });
          if (next === null) throw new Error("no token for now");
          return next;
        }
      : null,
  });
  const posts = new Posts(client, { gone: (id) => tell(name, { gone_post: id }) });
  return { client, posts, follows: new Follows(client), tokens: left, stops: new Map() };
}

export function wrong(client: Client, posts: Posts): void {
  // @ts-expect-error there is no such command
  client.command("post:lose", { post_id: newId() });
  // @ts-expect-error the client watches by itself
  client.command("topic:watch", { topic: "gallery" });
  // @ts-expect-error the post is missing
  client.command("post:like");
  client.command("post:page");
  // @ts-expect-error a like is yes or no
  posts.like(newId(), "yes");
  // @ts-expect-error a watcher takes events
  client.watch("gallery", {});
  client.watch("gallery", {
    event(name, data, meta) {
      if (name === "post:created") console.log(data?.post.title, meta.seq);
      // @ts-expect-error that one has no comment
      if (name === "post:hidden") console.log(data?.comment);
    },
  });
  // @ts-expect-error there is no such status
  if (client.status === "live") client.close();
}

for await (const line of createInterface({ input: process.stdin })) {
  const order: Order = JSON.parse(line);
  await orders[order.do](order);
}
process.exit(0);
