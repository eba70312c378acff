// Drives official clients for the tests: commands are lines of JSON on stdin, and what happens to
// each client comes as lines of JSON on stdout. Ends with its stdin.

import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const clients = new Map(); // name → { socket, auth }

function tell(client, what) {
  process.stdout.write(`${JSON.stringify({ client, ...what })}\n`);
}

const commands = {
  open({ client, url, auth, options }) {
    const known = { auth };
    const socket = io(url, {
      ...options,
      autoConnect: false,
      forceNew: true,
      auth: (give) => give(known.auth),
    });
    known.socket = socket;
    clients.set(client, known);
    socket.io.on("open", () => {
      socket.io.engine.on("upgrade", ({ name }) => tell(client, { state: "upgraded", transport: name }));
    });
    socket.on("connect", () => {
      tell(client, { state: "connected", transport: socket.io.engine.transport.name });
    });
    socket.on("disconnect", (reason) => {
      tell(client, { state: "disconnected", reason, comes_back: socket.active });
    });
    socket.on("connect_error", ({ message, data }) => {
      tell(client, { state: "refused", message, data: data ?? null, comes_back: socket.active });
    });
    socket.onAny((name, ...rest) => tell(client, { event: [name, ...rest] }));
    socket.connect();
  },

  // What the client shows the next time it connects by itself.
  auth({ client, auth }) {
    clients.get(client).auth = auth;
  },

  emit({ client, id, event, payload }) {
    const { socket } = clients.get(client);
    const acknowledged = (answer) => tell(client, { id, answer });
    socket.emit(event, ...payload, ...(id === undefined ? [] : [acknowledged]));
  },

  // The connection breaks: no goodbye, and the client may come back by itself.
  cut({ client }) {
    clients.get(client).socket.io.engine.close();
  },

  close({ client }) {
    clients.get(client).socket.disconnect();
    clients.delete(client);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  commands[command.do](command);
}
process.exit(0);
