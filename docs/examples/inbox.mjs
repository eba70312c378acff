// One's own topic: notifications as they come and go, over breaks and past a token's end.
//
//   GATEWAY=http://localhost:8080 AS=ada node inbox.mjs

import { io } from "socket.io-client";

const { GATEWAY = "http://localhost:8080", AS = "ada", TOKEN } = process.env;

// In development the gateway makes tokens itself. In production ask your own sign-in.
async function newToken() {
  const answer = await fetch(`${GATEWAY}/api/v1/session/dev`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ as: AS }),
  });
  return (await answer.json()).token;
}

let token = TOKEN ?? (await newToken());
let position = null; // {epoch, seq}: the last entry of our own topic that we have
const notifications = new Map();

const socket = io(GATEWAY, {
  // A function: it is asked on each connection, and says where we stand by then.
  auth: (give) => give(position ? { token, since: position } : { token }),
});

socket.on("session:ready", ({ user, epoch, seq, recovered }) => {
  // Where all that we missed follows as ordinary events, we go on from where we were.
  if (!recovered) position = { epoch, seq };
  console.log(`hello ${user.display_name}, recovered: ${recovered}`);
});

function take(notification, { seq }) {
  if (seq <= position.seq) return;
  position.seq = seq;
  if (notification === null) return; // what it told of is gone
  const { id, kind, count, actors } = notification;
  if (count > 0) notifications.set(id, notification);
  else notifications.delete(id); // taken back: the like was undone
  const who = actors.map((actor) => actor.display_name).join(", ");
  console.log(`${kind} ×${count} by ${who || "nobody"}: ${notifications.size} in the inbox`);
}

socket.on("notification:created", take);
socket.on("notification:updated", take);
for (const name of ["user:followed", "user:unfollowed"]) {
  socket.on(name, ({ follower_count }, { seq }) => {
    if (seq <= position.seq) return;
    position.seq = seq;
    console.log(`${name}: ${follower_count} followers`);
  });
}

socket.on("auth:expiring", async () => {
  token = await newToken();
  const { error } = await socket.emitWithAck("auth:refresh", { token });
  console.log(error ? `not refreshed: ${error.code}` : "refreshed");
});

// Sent away by the gateway: the client does not come back by itself.
socket.on("session:closing", ({ code }) => console.log(`closing: ${code}`));
socket.on("disconnect", async (reason) => {
  console.log(`away: ${reason}`);
  if (reason === "io server disconnect") {
    token = await newToken();
    socket.connect();
  }
});
socket.on("connect_error", async (error) => {
  if (socket.active) return; // the network: the client tries again by itself
  console.log(`refused: ${error.data.code}`);
  if (error.data.code === "TOKEN_EXPIRED") {
    token = await newToken();
    socket.connect();
  }
});
