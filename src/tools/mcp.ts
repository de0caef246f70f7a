/**
 * The tools of a server of the Model Context Protocol on this machine: a command that the recipe names, over its standard
 * input and output. Every call is bounded in time and in size. Its tools see what a call says, not the question's image.
 */
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import * as z from "zod";
import { messageOf, RunError, UserError } from "../core/errors.ts";
import { number, text, whole } from "../core/fields.ts";
import type { Observation, ToolSpec } from "../core/records.ts";
import { imageSize } from "../io/images.ts";
import type { Environment } from "./environment.ts";
import type { EnvironmentKind } from "./kind.ts";
import { errorObservation } from "./tool.ts";

const options = {
  command: text("a program").describe("The server's program."),
  args: z.array(z.string(), { error: "a list of texts" }).default([]).describe("The program's arguments."),
  tools: z.array(z.string()).nullable().default(null).describe("The tools offered, by name; null is all."),
  timeout_seconds: number({ above: 0, max: 600 }).default(10).describe("Of one call, and of the server's start."),
  max_characters: whole({ min: 1 }).default(2000).describe("Of a result's text; the rest is cut off."),
  max_image_pixels: whole({ min: 1 }).default(1_000_000).describe("Of a result's image; a larger one is an error."),
};

/** Bytes of an image as a server sends it, whatever its pixels. */
const MOST_BYTES = 20_000_000;

export const mcp: EnvironmentKind<typeof options> = {
  options,
  async open(o, maxTurns) {
    const { client, ended } = await connect(o);
    try {
      const tools = await listTools(client, o);
      return environment(client, ended, tools, { ...o, maxTurns });
    } catch (error) {
      await client.close();
      throw error;
    }
  },
};

type McpOptions = z.output<z.ZodObject<typeof options>>;

async function connect(o: McpOptions): Promise<{ readonly client: Client; readonly ended: () => boolean }> {
  const { command, args } = o;
  const named = `environment mcp: ${command}`;
  const sdk = await loadSdk();
  const client = new sdk.Client({ name: "viva", version: "1" });
  let ended = false;
  client.onclose = () => {
    ended = true;
  };
  try {
    const transport = new sdk.StdioClientTransport({ command, args: [...args], stderr: "ignore" });
    await client.connect(transport, { timeout: 1000 * o.timeout_seconds });
  } catch (cause) {
    await client.close();
    throw new UserError(`${named} does not start as a server of the Model Context Protocol: ${messageOf(cause)}`, {
      cause,
    });
  }
  return { client, ended: () => ended };
}

/** Not installed with viva: most runs need no server of tools. */
async function loadSdk() {
  try {
    const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
    const { StdioClientTransport } = await import("@modelcontextprotocol/sdk/client/stdio.js");
    return { Client, StdioClientTransport };
  } catch (cause) {
    throw new UserError("environment mcp: install the SDK first: npm install @modelcontextprotocol/sdk", { cause });
  }
}

async function listTools(client: Client, { tools: asked, timeout_seconds }: McpOptions): Promise<readonly ToolSpec[]> {
  const { tools } = await client.listTools({}, { timeout: 1000 * timeout_seconds });
  const all = tools.map(({ name, description = "", inputSchema }): ToolSpec => {
    return { name, description, parameters: inputSchema };
  });
  const missing = asked?.find((name) => !all.some((tool) => tool.name === name));
  if (missing !== undefined) {
    const names = all.map(({ name }) => name).join(", ");
    throw new UserError(`environment mcp: the server has no tool "${missing}", only ${names}`);
  }
  return asked === null ? all : all.filter(({ name }) => asked.includes(name));
}

function environment(
  client: Client,
  ended: () => boolean,
  tools: readonly ToolSpec[],
  o: McpOptions & { readonly maxTurns: number },
): Environment {
  const names = new Set(tools.map(({ name }) => name));
  return {
    tools,
    maxTurns: o.maxTurns,
    async step(_, { name, arguments: given }) {
      if (!names.has(name)) return errorObservation(`no such tool; there are ${[...names].join(", ")}`);
      try {
        const timeout = 1000 * o.timeout_seconds;
        const result = await client.callTool({ name, arguments: { ...given } }, undefined, { timeout });
        return await observationOf(result as ToolResult, name, o);
      } catch (error) {
        if (ended()) throw new RunError(`environment mcp: the server ${o.command} has ended`, { cause: error });
        const isLate = (error as { readonly code?: unknown }).code === TIMED_OUT;
        return errorObservation(`${name}: ${isLate ? `not done after ${o.timeout_seconds} s` : "the call failed"}`);
      }
    },
    close: () => client.close(),
  };
}

/** The SDK's ErrorCode.RequestTimeout. */
const TIMED_OUT = -32001;

interface ToolResult {
  readonly isError?: boolean;
  readonly content: readonly { readonly type: string; readonly text?: string; readonly data?: string }[];
}

/** All texts, and the first image. */
async function observationOf(
  { content, isError = false }: ToolResult,
  name: string,
  o: McpOptions,
): Promise<Observation> {
  const said = content.flatMap((part) => (part.type === "text" ? [part.text ?? ""] : [])).join("\n");
  const result = { text: said.slice(0, o.max_characters), isError };
  const data = content.find((part) => part.type === "image")?.data;
  if (data === undefined) return result;
  if (data.length > MOST_BYTES) return errorObservation(`${name}: its image is too large`);
  const image = { path: `mcp:${name}`, bytes: Buffer.from(data, "base64") };
  try {
    const { width, height } = await imageSize(image);
    if (width * height > o.max_image_pixels) return errorObservation(`${name}: its image is too large`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return errorObservation(`${name}: its image cannot be read`);
  }
  return { ...result, image };
}
