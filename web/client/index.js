// The client library of a Vernissage gateway: see docs/client.md.

export { Client } from "./client.js";
export { Follows } from "./follows.js";
export { newId } from "./ids.js";
export { Posts } from "./posts.js";
export { Refusal, UNREACHABLE } from "./rest.js";
