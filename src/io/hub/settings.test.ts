import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { isSafePath, openRepositoryId, parseRepositoryId, repositoryFolder } from "./repository.ts";
import { hubSettings } from "./settings.ts";

const home = mkdtempSync(join(tmpdir(), "viva-settings-"));
afterAll(() => rmSync(home, { recursive: true }));

describe("hubSettings", () => {
  it.each([
    [{}, join(homedir(), ".cache/huggingface/hub")],
    [{ HOME: "/h" }, "/h/.cache/huggingface/hub"],
    [{ XDG_CACHE_HOME: "/x" }, "/x/huggingface/hub"],
    [{ HF_HOME: "/hf" }, "/hf/hub"],
    [{ HF_HOME: "~/hf", HOME: "/h" }, "/h/hf/hub"],
    [{ HF_HOME: "$DISK/\u0024{NAME}", DISK: "/d", NAME: "n" }, "/d/n/hub"],
    [{ HF_HOME: "/hf", HUGGINGFACE_HUB_CACHE: "/old" }, "/old"],
    [{ HF_HUB_CACHE: "/new", HUGGINGFACE_HUB_CACHE: "/old" }, "/new"],
  ])("finds the cache of %j", (env, cache) => {
    expect(hubSettings(env).cache).toBe(cache);
  });

  it("finds the token: HF_TOKEN before the file, which may be elsewhere or forbidden", () => {
    mkdirSync(join(home, "other"));
    writeFileSync(join(home, "token"), "hf_file\n");
    writeFileSync(join(home, "other/token"), "hf_other");
    expect(hubSettings({ HF_HOME: home }).token).toBe("hf_file");
    expect(hubSettings({ HF_HOME: home, HF_TOKEN: " hf_env\n" }).token).toBe("hf_env");
    expect(hubSettings({ HF_HOME: home, HF_TOKEN_PATH: join(home, "other/token") }).token).toBe("hf_other");
    expect(hubSettings({ HF_HOME: home, HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }).token).toBeNull();
    expect(hubSettings({ HF_HOME: join(home, "none") }).token).toBeNull();
  });

  it("refuses what no header can hold, and addresses with passwords, without showing them", () => {
    for (const env of [
      { HF_TOKEN: "hf_se\ncret" },
      { HF_TOKEN: "hf_secret ü" },
      { HF_ENDPOINT: "http://u:secret@h" },
    ]) {
      expect(() => hubSettings({ HF_HOME: home, ...env })).toThrow(/^(?!.*se.?cret).*HF_(TOKEN|ENDPOINT)/s);
    }
    expect(() => hubSettings({ HF_ENDPOINT: "huggingface.co" })).toThrow(/HF_ENDPOINT is no address/);
    expect(() => hubSettings({ HF_ENDPOINT: "ftp://h" })).toThrow(/http or https/);
    expect(hubSettings({ HF_HOME: home, HF_ENDPOINT: "https://mirror/hf//" }).endpoint).toBe("https://mirror/hf");
  });

  it.each(["1", "ON", "yes", "True"])("is offline with HF_HUB_OFFLINE=%s", (HF_HUB_OFFLINE) => {
    expect(hubSettings({ HF_HOME: home, HF_HUB_OFFLINE }).offline).toBe(true);
    expect(hubSettings({ HF_HOME: home, HF_HUB_OFFLINE: "0" }).offline).toBe(false);
    expect(hubSettings({ HF_HOME: home, TRANSFORMERS_OFFLINE: HF_HUB_OFFLINE }).offline).toBe(true);
  });
});

describe("repository ids", () => {
  it("are org/name, with @revision", () => {
    expect(parseRepositoryId("Qwen/Qwen2-VL-2B-Instruct")).toEqual({
      name: "Qwen/Qwen2-VL-2B-Instruct",
      revision: null,
    });
    expect(parseRepositoryId("a/b@refs/pr/1")).toEqual({ name: "a/b", revision: "refs/pr/1" });
  });

  it.each([
    "gpt2",
    "a/b/c",
    "/a/b",
    "./a",
    "../a",
    "a/..",
    "~/a",
    "a//b",
    "a/b@../../x",
    "a/b@",
    "a/b@x/../y",
    "a/-b",
    "a/b--c",
    "a/b.git",
    "a\\b/c",
    "a/b c",
    "C:/a",
    `a/${"b".repeat(97)}`,
  ])("%j is none", (text) => {
    expect(parseRepositoryId(text)).toBeNull();
  });

  it("take their revision from one place", () => {
    expect(openRepositoryId("model", "a/b@v1", null).revision).toBe("v1");
    expect(openRepositoryId("model", "a/b", null).revision).toBe("main");
    expect(openRepositoryId("model", "a/b@v1", "v1").revision).toBe("v1");
    expect(() => openRepositoryId("model", "a/b@v1", "v2")).toThrow(
      /names a revision, and revision v2 is given beside/,
    );
    expect(() => openRepositoryId("model", "a/b", "../v2")).toThrow(/"\.\.\/v2" is no name of a branch/);
  });

  it("name their folder in the cache", () => {
    expect(repositoryFolder("/c", openRepositoryId("dataset", "org/data.v1", null))).toBe("/c/datasets--org--data.v1");
  });

  it("only safe file names are joined to folders", () => {
    for (const path of ["a", "a/b.json", "..a/b..", ".gitattributes"]) expect(isSafePath(path), path).toBe(true);
    for (const path of ["", "/a", "a/", "a/../b", "a\\b", "c:a", "a\nb", `${"a/".repeat(3000)}b`]) {
      expect(isSafePath(path), path).toBe(false);
    }
  });
});
