/** `viva serve --tinker` as a program of its own, and the SDKs that drive it. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { inject } from "vitest";
import type { PythonNeeds } from "../python.ts";

/** What clients must send. */
export const key = "tml-a-key-of-this-test";
export const versions = ["0.38.0", "0.25.0"] as const;
export const needs = (version: string): PythonNeeds => ({
  name: `tinker-${version}`,
  requirements: [`tinker==${version}`],
});

const root = join(import.meta.dirname, "../../..");

export interface Server {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/** Serves viva-tiny-instruct. */
export async function serve(store: string, ...more: string[]): Promise<Server> {
  const tiny = ["assets/viva-tiny-instruct", "--tinker", "--port", "0", "--threads", "1", "--json"];
  const asked = [...tiny, "--store", store, ...more];
  const child: ChildProcess = spawn("node", [join(inject("built"), "dist/cli/main.js"), "serve", ...asked], {
    cwd: root,
    env: { ...process.env, VIVA_API_KEY: key },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const lines = createInterface({ input: child.stdout! });
  const line = await new Promise<string>((resolve, reject) => {
    lines.once("line", resolve);
    void ended.then(() => reject(new Error("the server ended before it listened")));
  });
  return {
    url: JSON.parse(line).base_url,
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
