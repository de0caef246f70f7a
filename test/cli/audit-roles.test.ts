import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { datasetAuditSchema } from "../../src/evaluate/audit/dataset-results.ts";
import { serveChat } from "./chat-server.ts";
import { jsonLines, temporaryFolder, viva, vivaOk } from "./command-line.ts";

const folder = temporaryFolder();

/** One server in all roles, and the model that is audited. */
const server = await serveChat(({ text, times }) => {
  if (text.startsWith("You write test questions")) return `{"question": "Where is sign ${text.length % 97}-${times}?"}`;
  if (text.startsWith("You inspect")) return '{"fit": true}';
  if (text.startsWith("You are reader") || text.startsWith("Three readers")) return '{"answer": "left"}';
  if (text.startsWith("You grade"))
    return `{"right": ${text.includes("reference answer: yes")}, "justified": true, "grade": 9}`;
  if (text.startsWith("You plan")) return '{"name": "rare signs", "description": "seldom seen"}';
  return "yes";
});

const write = (more: object = {}) => {
  const role = { base_url: server.url, model: "m" };
  const file = {
    stratum: "question_type",
    seeds: 2,
    cases: 3,
    categories: 2,
    tries: 1,
    default: role,
    ...more,
  };
  writeFileSync(join(folder, "roles.yaml"), JSON.stringify(file));
};
const asked = [
  "--endpoint",
  server.url,
  "--model",
  "target",
  "--data",
  "phantom",
  "--limit",
  "20",
  "--roles",
  "roles.yaml",
];

describe("viva audit --roles", { timeout: 120_000 }, () => {
  it("writes questions, references and grades by endpoints, and sends images to them", async () => {
    write();
    const { stdout } = await vivaOk(
      folder,
      "audit",
      ...asked,
      "--out",
      "audit.json",
      "--samples",
      "cases.jsonl",
      "--json",
    );
    const [cases, { requests }] = [jsonLines(folder, "cases.jsonl"), server];
    expect(cases.length).toBe(6);
    expect(cases.filter(({ origin }) => origin === "generated").length).toBe(2);
    const text = JSON.stringify(requests.find((request) => request.text.startsWith("You write"))!.body);
    expect(text).toContain("data:image/png;base64,");
    const results = datasetAuditSchema.parse(JSON.parse(stdout));
    expect(results.cases).toBe(6);
    expect(results.categories.length).toBe(2);
  });

  it("ends where the judge cannot be read, and names a stratum that there is not", async () => {
    const deaf = await serveChat(() => "I would say good.");
    write({ roles: { judge: { base_url: deaf.url, model: "deaf" } } });
    const unread = await viva(folder, "audit", ...asked, "--out", "unread.json");
    expect(unread.code).toBe(1);
    expect(unread.stderr).toMatch(/none of the 4 replies of the judge could be read: look at them in replies/);
    write({ stratum: "modalty" });
    const { code, stderr } = await viva(folder, "audit", ...asked, "--out", "none.json");
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/roles.yaml: no question has the stratum "modalty": the data has .*question_type/),
    ]);
  });

  it("names a role without a model", async () => {
    write({ default: null });
    const { code, stderr } = await viva(folder, "audit", ...asked, "--out", "none.json");
    expect([code, stderr]).toEqual([2, expect.stringContaining("roles.generator is missing, and there is no default")]);
  });
});
