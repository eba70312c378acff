// Socket.IO on Node as a good engineer would set it up, doing the gateway's job in short: a token checked on
// connect, rooms as topics, likes and comments in one transaction each, published after commit through the
// Redis adapter, acknowledged after commit. It speaks the gateway's names, so that the same clients drive both.
//
//   PORT, DATABASE_URL, REDIS_URL, JWT_SECRET; COUNTER=update (in the transaction) or trigger (the database's)

import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import jwt from "jsonwebtoken";
import pg from "pg";
import { createClient } from "redis";
import { Server } from "socket.io";

const { PORT, DATABASE_URL, REDIS_URL, JWT_SECRET, COUNTER = "update" } = process.env;

const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 20 });
const publisher = createClient({ url: REDIS_URL });
const subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);

const http = createServer((_, response) => response.end("ready"));
const io = new Server(http, {
  adapter: createAdapter(publisher, subscriber),
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
  maxHttpBufferSize: 16 * 1024,
});

const like = {
  name: "like",
  text: "insert into likes (post_id, user_id) values ($1, $2) on conflict do nothing",
};
const unlike = { name: "unlike", text: "delete from likes where post_id = $1 and user_id = $2" };
const count = {
  name: "count",
  text: "update posts set like_count = like_count + $2 where id = $1 returning like_count",
};
const read = { name: "read", text: "select like_count from posts where id = $1" };
const note = {
  name: "note",
  text: "insert into events (topic, type, data) values ($1, $2, $3) returning id, created_at",
};
const comment = {
  name: "comment",
  text: `insert into comments (post_id, user_id, content) values ($1, $2, $3)
         returning id, created_at`,
};
const countComment = {
  name: "countComment",
  text: `update posts set comment_count = comment_count + 1 where id = $1 returning comment_count`,
};

async function transaction(work) {
  const client = await pool.connect();
  try {
    await client.query("begin");
    const result = await work((query, ...values) => client.query({ ...query, values }));
    await client.query("commit");
    return result;
  } catch (error) {
    await client.query("rollback");
    throw error;
  } finally {
    client.release();
  }
}

function publish({ topic, name, data, id, at }) {
  io.to(topic).emit(name, data, { topic, seq: Number(id), at });
}

async function setLiked(user, post_id, liked) {
  const topic = `post:${post_id}`;
  const { answer, event } = await transaction(async (run) => {
    const { rowCount } = await run(liked ? like : unlike, post_id, user.id);
    const growth = liked ? rowCount : -rowCount;
    const { rows: [post] } =
      COUNTER === "trigger" || !growth
        ? await run(read, post_id)
        : await run(count, post_id, growth);
    const answer = { post_id, liked, changed: rowCount > 0, like_count: post.like_count };
    if (!rowCount) return { answer };
    const name = liked ? "post:liked" : "post:unliked";
    const data = { post_id, like_count: post.like_count, actors: [user] };
    const { rows: [row] } = await run(note, topic, name, data);
    return { answer: { ...answer, seq: Number(row.id) }, event: { topic, name, data, id: row.id, at: row.created_at } };
  });
  if (event) publish(event);
  return answer;
}

async function addComment(user, post_id, content) {
  const topic = `post:${post_id}`;
  const { answer, event } = await transaction(async (run) => {
    const { rows: [row] } = await run(comment, post_id, user.id, content);
    const { rows: [post] } = await run(countComment, post_id);
    const answer = {
      id: row.id, post_id, user_id: user.id, content, is_edited: false,
      created_at: row.created_at, updated_at: row.created_at, author: user,
    };
    const data = { post_id, comment: answer, comment_count: post.comment_count };
    const { rows: [noted] } = await run(note, topic, "comment:created", data);
    return { answer, event: { topic, name: "comment:created", data, id: noted.id, at: noted.created_at } };
  });
  publish(event);
  return answer;
}

io.use((socket, next) => {
  jwt.verify(
    socket.handshake.auth.token,
    JWT_SECRET,
    { algorithms: ["HS256"], issuer: "vernissage", audience: "vernissage" },
    (error, claims) => {
      if (error) return next(new Error("UNAUTHENTICATED"));
      socket.data.expires_at = new Date(claims.exp * 1000);
      socket.data.user = {
        id: claims.sub, display_name: claims.name ?? claims.sub.slice(0, 8),
        avatar_url: null, subscription_tier: "free",
      };
      next();
    },
  );
});

io.on("connection", (socket) => {
  const { user, expires_at } = socket.data;
  const own = `user:${user.id}`;
  socket.join(own);
  socket.emit("session:ready", {
    user, epoch: "0", topic: own, seq: 0, recovered: false, expires_at, node: "node",
  });

  const on = (name, work) =>
    socket.on(name, async (payload, ack) => {
      try {
        ack({ data: await work(payload) });
      } catch (error) {
        ack({ error: { code: "INTERNAL", message: String(error), details: {} } });
      }
    });

  socket.on("topic:watch", ({ topic }, ack) => {
    if (typeof topic !== "string" || !(topic === own || topic === "gallery" || topic.startsWith("post:")))
      return ack({ error: { code: "NOT_FOUND", message: "No such topic.", details: { topic } } });
    socket.join(topic);
    ack({ data: { topic, epoch: "0", seq: null, recovered: false, events: [] } });
  });
  on("post:like", ({ post_id }) => setLiked(user, post_id, true));
  on("post:unlike", ({ post_id }) => setLiked(user, post_id, false));
  on("comment:create", ({ post_id, content }) => addComment(user, post_id, content));
});

http.listen({ port: Number(PORT), host: "127.0.0.1", backlog: 4096 }, () => console.log("ready"));
process.on("SIGTERM", () => process.exit(0));
