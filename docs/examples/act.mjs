// Likes, comments and follows: commands, their answers, and what to do when one is refused.
//
//   GATEWAY=http://localhost:8080 TOKEN=… node act.mjs POST_ID

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { io } from "socket.io-client";

const { GATEWAY = "http://localhost:8080", TOKEN } = process.env;
const postId = process.argv[2];

const socket = io(GATEWAY, { auth: { token: TOKEN } });
socket.on("connect_error", (error) => {
  if (socket.active) return; // the network: the client tries again by itself
  console.log(`refused: ${error.data.code}`);
  process.exit(1);
});

// A UUIDv7: the time in milliseconds, then chance.
function newId() {
  const time = Date.now().toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

// Sends a command until it is answered, and waits where the gateway asks for patience.
async function send(event, command) {
  for (;;) {
    let answer;
    try {
      answer = await socket.timeout(10_000).emitWithAck(event, command);
    } catch {
      continue; // no answer: it may have been carried out or not, and sending it again is safe
    }
    const { data, error } = answer;
    if (!error) return data;
    if (error.retry_after === undefined) throw Object.assign(new Error(error.message), error);
    console.log(`wait: ${error.code}`);
    await sleep(error.retry_after * 1000);
  }
}

const post = await send("post:get", { post_id: postId });

const like = await send("post:like", { post_id: postId });
console.log(`liked: ${like.liked}, changed: ${like.changed}, ${like.like_count} likes`);

// With an id of our own making a second try is recognised as one: there is one comment.
const comment = { id: newId(), post_id: postId, content: "How did you make this?" };
await send("comment:create", comment);
const { id, content } = await send("comment:create", comment);
console.log(`commented once: ${id === comment.id}, ${content}`);

const edited = await send("comment:update", { comment_id: id, content: "So that is how!" });
console.log(`edited: ${edited.is_edited}, ${edited.content}`);

await send("comment:delete", { comment_id: id });
console.log("deleted");

const follow = await send("user:follow", { user_id: post.author.id });
console.log(`following: ${follow.following}, ${follow.follower_count} followers`);

try {
  await send("comment:create", { post_id: postId, content: "" });
} catch (error) {
  console.log(`refused: ${error.code}, ${JSON.stringify(error.details)}`);
}

socket.disconnect();
