/** The tools of a real server of the Model Context Protocol, made with the official SDK. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Example } from "../../src/core/records.ts";
import { type Environment, environmentSchema, openEnvironment } from "../../src/tools/index.ts";
import { root } from "../cli/command-line.ts";

const example: Example = {
  ...{ id: "a", subjectId: "a", question: "?", images: [], answer: "yes", answerType: "closed", choices: [], meta: {} },
};
const server = `${root}/test/tools/mcp-server.mjs`;
const open = (o: object = {}) =>
  openEnvironment(environmentSchema.parse({ name: "mcp", command: process.execPath, args: [server], ...o }));

describe("a server's tools", () => {
  let environment: Environment;
  const call = (name: string, given: Readonly<Record<string, unknown>> = {}) =>
    environment.step(example, { name, arguments: given });
  beforeAll(async () => {
    environment = await open({ timeout_seconds: 20, max_characters: 50 });
  });
  afterAll(() => environment.close());

  it("are told with their schemas", () => {
    expect(environment.tools.map(({ name }) => name)).toEqual(["add", "picture", "long", "slow", "fails", "ends"]);
    expect(environment.tools[0]).toMatchObject({ description: "Adds.", parameters: { required: ["a", "b"] } });
  });

  it("answer in text and image, bounded in size; errors are observations", async () => {
    expect(await call("add", { a: 2, b: 3 })).toEqual({ text: "5", isError: false });
    expect((await call("long")).text).toBe("x".repeat(50));
    expect((await call("picture")).image?.bytes?.length).toBeGreaterThan(50);
    expect(await call("fails")).toEqual({ text: "no such patient", isError: true });
    expect((await call("add", { a: "two" })).isError).toBe(true);
    expect((await call("unknown")).text).toContain("no such tool");
  });

  it("end the run where the server ends", async () => {
    await expect(call("ends")).rejects.toThrow("has ended");
  });
});

it("a call that takes too long is an observation", async () => {
  const environment = await open({ timeout_seconds: 20, tools: ["slow"] });
  await environment.close();
  const short = await open({ timeout_seconds: 3, tools: ["slow"] }).catch(() => null); // a busy machine starts slowly
  if (short === null) return;
  const { text, isError } = await short.step(example, { name: "slow", arguments: {} });
  expect([isError, text]).toEqual([true, "error: slow: not done after 3 s"]);
  await short.close();
});

it("what does not start, and tools that are not there, are said in a sentence", async () => {
  await expect(open({ command: "/no/such/program" })).rejects.toThrow(
    "environment mcp: /no/such/program does not start",
  );
  await expect(open({ tools: ["x"], timeout_seconds: 20 })).rejects.toThrow('no tool "x", only add');
});
