// Follows one post: reads it, stays up to date, and catches up after every break.
//
//   npm install socket.io-client@4.8
//   GATEWAY=http://localhost:8080 TOKEN=… node watch.mjs POST_ID      (without TOKEN: as a visitor)

import { io } from "socket.io-client";

const { GATEWAY = "http://localhost:8080", TOKEN } = process.env;
const postId = process.argv[2];
const topic = `post:${postId}`;

let post = null; // the post as of `position`
let position = null; // {epoch, seq}: the last entry of the topic that is part of `post`
let held = null; // events that wait until it is known what came before them; null while live

const socket = io(GATEWAY, { auth: TOKEN ? { token: TOKEN } : {} });

async function ask(event, command) {
  const answer = await socket.timeout(10_000).emitWithAck(event, command);
  if (answer.error) throw Object.assign(new Error(answer.error.message), answer.error);
  return answer.data;
}

function apply(name, data, { seq }) {
  if (seq !== undefined) {
    if (seq <= position.seq) return; // it is part of what was read, or came twice
    position.seq = seq;
  }
  if (data === null) return; // what it told of is gone
  if (name === "post:liked" || name === "post:unliked") post.like_count = data.like_count;
  if (name.startsWith("comment:")) post.comment_count = data.comment_count;
  console.log(`${seq} ${name}: ${post.like_count} likes, ${post.comment_count} comments`);
}

socket.onAny((name, data, meta) => {
  if (meta?.topic !== topic) return;
  if (held) held.push([name, data, meta]);
  else apply(name, data, meta);
});

// The first event of every connection, so also after each break.
socket.on("session:ready", async () => {
  held = [];
  try {
    const watched = await ask("topic:watch", position ? { topic, since: position } : { topic });
    if (watched.recovered) {
      console.log(`back, with ${watched.events.length} events to catch up`);
      for (const event of watched.events) apply(...event);
    } else {
      post = await ask("post:get", { post_id: postId });
      position = { epoch: watched.epoch, seq: post.seq };
      console.log(`${post.seq} read: ${post.like_count} likes, ${post.comment_count} comments`);
    }
  } catch (error) {
    if (!error.code) return; // nobody answered: the connection broke, and there will be another
    console.log(`refused: ${error.code}`);
    return void socket.disconnect();
  }
  for (const event of held) apply(...event);
  held = null;
});

socket.on("disconnect", (reason) => console.log(`away: ${reason}`));
socket.on("connect_error", (error) => {
  if (!socket.active) console.log(`refused: ${error.data.code}`);
});
