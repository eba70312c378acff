// As much of Node as client.mts needs.

declare module "node:readline" {
  export function createInterface(from: { input: unknown }): AsyncIterable<string>;
}

declare const process: { stdin: unknown; stdout: { write(text: string): void }; exit(code: number): never };
