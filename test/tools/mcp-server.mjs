// A server of the Model Context Protocol for test/tools/mcp.test.ts: answers, pictures, delays, failures and its own end.
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { z } from "zod";

const server = new McpServer({ name: "test", version: "1" });
const text = (value) => ({ content: [{ type: "text", text: value }] });
// A PNG of one grey pixel.
const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";

server.registerTool("add", { description: "Adds.", inputSchema: { a: z.number(), b: z.number() } }, ({ a, b }) =>
  text(String(a + b)),
);
server.registerTool("picture", {}, () => ({ content: [{ type: "image", data: png, mimeType: "image/png" }] }));
server.registerTool("long", {}, () => text("x".repeat(10_000)));
server.registerTool("slow", {}, () => new Promise((resolve) => setTimeout(() => resolve(text("late")), 60_000)));
server.registerTool("fails", {}, () => ({ ...text("no such patient"), isError: true }));
server.registerTool("ends", {}, () => process.exit(0));
await server.connect(new StdioServerTransport());
