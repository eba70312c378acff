// How a client in TypeScript uses the gateway's types. It is compiled, not run: every line that stands
// below a `@ts-expect-error` has to be an error, and no other.

import { io, type Socket } from "socket.io-client";
import type { ClientCommands, Code, ServerEvents, ToldEvent } from "../../web/client/vernissage.js";

const socket: Socket<ServerEvents, ClientCommands> = io("http://localhost:8080");

socket.on("session:ready", (ready, meta) => {
  const topic: string | null = ready.topic;
  const at: Date = new Date(meta.at);
  const name: string = ready.user?.display_name ?? "a visitor";
  console.log(topic, at, name);
  // @ts-expect-error a visitor has no name
  console.log(ready.user.display_name);
});

socket.on("post:liked", (data, meta) => {
  // @ts-expect-error what it told of may be gone
  console.log(data.like_count);
  const seq: number | undefined = meta.seq;
  const first: string | undefined = data?.actors[0]?.display_name;
  console.log(seq, first);
});

socket.on("post:viewed", ({ view_count }) => view_count.toFixed());

// @ts-expect-error there is no such event
socket.on("post:lost", () => {});

async function act(postId: string): Promise<number | Code> {
  const { data, error } = await socket.emitWithAck("post:like", { post_id: postId });
  if (error) {
    const wait: number | undefined = error.retry_after;
    console.log(wait, error.details["post_id"]);
    return error.code;
  }
  const count: number = data.like_count;

  await socket.emitWithAck("post:update", { post_id: postId, description: null });
  // @ts-expect-error a title may be left out, and is never null
  await socket.emitWithAck("post:update", { post_id: postId, title: null });
  // @ts-expect-error the asset is missing
  await socket.emitWithAck("post:create", { title: "Dusk" });
  // @ts-expect-error there is no such order
  await socket.emitWithAck("post:page", { sort: "oldest" });
  await socket.timeout(1000).emitWithAck("post:page", { tags: ["dusk"], cursor: null });
  // @ts-expect-error there is no such command
  await socket.emitWithAck("post:lose", { post_id: postId });
  socket.emit("post:unlike", { post_id: postId }, (answer) => answer.data?.changed);
  return count;
}

function apply([name, data, meta]: ToldEvent): void {
  if (name === "comment:created") console.log(data?.comment.content, meta.seq);
  // @ts-expect-error that one has no comment
  if (name === "post:deleted") console.log(data?.comment);
}

async function watch(topic: string): Promise<void> {
  const { data } = await socket.emitWithAck("topic:watch", { topic, since: null });
  if (data && "events" in data) data.events.forEach(apply);
  const { data: many } = await socket.emitWithAck("topic:watch", { topics: [{ topic }] });
  if (many && "topics" in many) {
    for (const each of many.topics) console.log("error" in each ? each.error.code : each.seq);
  }
}

export { act, watch };
