import { spawn } from "node:child_process";
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { RunError, UserError } from "../core/errors.ts";
import {
  collect,
  createInterruption,
  decimalNumber,
  type MainProcess,
  runMain,
  temperature,
  wholeNumber,
} from "./arguments.ts";

/** Runs a program in this process against a stand-in for it. */
async function run(args: string[], action: () => void | Promise<void>, env: Record<string, string> = {}) {
  const errors: string[] = [];
  const codes: number[] = [];
  const program = new Command("viva").configureOutput({
    writeErr: (text) => void errors.push(text),
    writeOut: () => {},
  });
  program.command("need").requiredOption("--data <name>", "").action(action);
  program
    .command("go")
    .argument("[file]")
    .option("--limit <n>", "", wholeNumber(1, 100))
    .option("--temperature <t>", "", decimalNumber(0))
    .option("--set <key=value>", "", collect, [] as readonly string[])
    .action(action);
  const sink = (texts: string[]) => ({
    write(text: string, done?: () => void) {
      texts.push(text);
      done?.();
    },
    on() {},
  });
  const host = {
    argv: ["node", "viva", ...args],
    env,
    stdout: sink([]),
    stderr: sink(errors),
    on() {},
    exit: (code: number) => void codes.push(code),
    exitCode: undefined as number | undefined,
  };
  await runMain(program, createInterruption(), host as unknown as MainProcess);
  return { stderr: errors.join(""), code: codes[0] ?? host.exitCode };
}

const fails = (error: unknown) => () => {
  throw error;
};

describe("exit codes", () => {
  test("0: done, help", async () => {
    expect(await run(["go"], async () => {})).toEqual({ stderr: "", code: 0 });
    expect((await run(["go", "--help"], () => {})).code).toBe(0);
  });

  test("2: the user's input is wrong, one sentence", async () => {
    const wrong = await run(["go"], fails(new UserError("a.yaml: unknown key stpes; did you mean steps?")));
    expect(wrong).toEqual({ stderr: "error: a.yaml: unknown key stpes; did you mean steps?\n", code: 2 });
    expect(await run(["go", "--lmit", "3"], () => {})).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("unknown option '--lmit'"),
    });
    expect((await run(["fly"], () => {})).code).toBe(2);
    expect((await run([], () => {})).code).toBe(2);
  });

  test("2: an option that is not known is told before one that is missing", async () => {
    const stderr = async (...args: string[]) => {
      const ended = await run(args, () => {});
      expect(ended.code).toBe(2);
      return ended.stderr;
    };
    expect(await stderr("need", "--dta", "x")).toContain("unknown option '--dta'");
    expect(await stderr("need")).toBe("error: required option '--data <name>' not specified\n");
    expect(await run(["need", "--data", "x"], () => {})).toEqual({ stderr: "", code: 0 });
    expect((await run(["need", "--help"], () => {})).code).toBe(0);
  });

  test("1: the run failed, or viva did", async () => {
    const failed = await run(["go"], async () => Promise.reject(new RunError("step 3: the loss is NaN")));
    expect(failed).toEqual({ stderr: "error: step 3: the loss is NaN\n", code: 1 });
    const unexpected = await run(["go"], fails(new TypeError("x is undefined")));
    expect(unexpected).toEqual({ stderr: "error: x is undefined (unexpected; VIVA_DEBUG=1 shows where)\n", code: 1 });
    expect(await run(["go"], fails("a text"))).toMatchObject({ code: 1, stderr: expect.stringContaining("a text") });
  });

  test("VIVA_DEBUG shows the stack and the cause", async () => {
    const error = new RunError("outer", { cause: new Error("inner") });
    const { stderr, code } = await run(["go"], fails(error), { VIVA_DEBUG: "1" });
    expect(stderr).toMatch(/^error: outer\nRunError: outer\n {4}at .*caused by Error: inner\n {4}at /s);
    expect(code).toBe(1);
  });
});

describe("numbers", () => {
  test("whole numbers within bounds", () => {
    expect([wholeNumber(1)("7"), wholeNumber(-5)("-3")]).toEqual([7, -3]);
    for (const text of ["0", "101", "1.5", "x", "", "1e1", "7 8", "NaN"]) {
      expect(() => wholeNumber(1, 100)(text)).toThrow("Expected a whole number from 1 to 100.");
    }
    expect(() => wholeNumber(1)("99999999999999999999")).toThrow("Expected a whole number of at least 1.");
  });

  test("decimal numbers within bounds", () => {
    expect([decimalNumber(0)("1e-3"), decimalNumber(0, 1)("1")]).toEqual([0.001, 1]);
    for (const text of ["-0.1", "1.1", "x", " ", "NaN", "Infinity"]) {
      expect(() => decimalNumber(0, 1)(text)).toThrow("Expected a number from 0 to 1.");
    }
  });

  test("temperatures of which log-probs stay numbers", () => {
    expect(["0", "0.01", "100"].map(temperature)).toEqual([0, 0.01, 100]);
    for (const text of ["1e-40", "-1", "101", "NaN", ""]) {
      expect(() => temperature(text)).toThrow("Expected 0, or a number from 0.01 to 100.");
    }
  });

  test("commander says which option was wrong", async () => {
    const { stderr, code } = await run(["go", "--limit", "none"], () => {});
    expect(stderr).toBe(
      "error: option '--limit <n>' argument 'none' is invalid. Expected a whole number from 1 to 100.\n",
    );
    expect(code).toBe(2);
  });

  test("options given several times are collected in order", () => {
    expect(collect("b=2", collect("a=1", []))).toEqual(["a=1", "b=2"]);
  });
});

describe("a real process", () => {
  /** Starts a program whose command is `body`, with `interruption` in scope. */
  function start(body: string) {
    const here = JSON.stringify(new URL("./arguments.ts", import.meta.url).href);
    const script = `
      import { Command } from "commander";
      import { createInterruption, runMain } from ${here};
      const interruption = createInterruption();
      const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
      const program = new Command("viva").action(async () => { ${body} });
      await runMain(program, interruption);`;
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script]);
    const text = { out: "", err: "" };
    child.stderr.on("data", (chunk) => {
      text.err += String(chunk);
    });
    const ready = new Promise<void>((resolve) =>
      child.stdout.on("data", (chunk) => {
        text.out += String(chunk);
        resolve();
      }),
    );
    const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
      child.once("close", (code, signal) => resolve(signal ?? code)),
    );
    return { child, text, ready, ended };
  }

  const training = `await interruption.during(async (signal) => {
    console.log("ready");
    while (!signal.aborted) { await wait(20); console.log("step"); }
    console.log("closed");
  });`;

  test("Ctrl-C closes what is held, then exits with 130", async () => {
    const { child, text, ready, ended } = start(training);
    await ready;
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    expect(text.out).toMatch(/closed\n$/);
    expect(text.err).toBe("\nstopping; press Ctrl-C again to stop at once\n");
  });

  test("Ctrl-C ends at once where nothing needs closing, and the second one always", async () => {
    const idle = start(`console.log("ready"); await wait(60_000);`);
    const stubborn = start(`await interruption.during(() => { console.log("ready"); return wait(60_000); });`);
    await Promise.all([idle.ready, stubborn.ready]);
    idle.child.kill("SIGINT");
    stubborn.child.kill("SIGINT");
    expect(await idle.ended).toBe(130);
    await expect.poll(() => stubborn.text.err).toContain("stopping");
    stubborn.child.kill("SIGINT");
    expect(await stubborn.ended).toBe("SIGINT");
  });

  test("a reader that leaves is no error message", async () => {
    const { child, text, ready, ended } = start(training);
    await ready;
    child.stdout.destroy();
    expect(await ended).toBe(141);
    expect(text.err).toBe("");
  });

  test("errors outside the command's own promise have no stack, and no handle keeps a failed program alive", async () => {
    const stray = start(`setTimeout(() => { throw new Error("stray"); }, 1); await wait(60_000);`);
    const failed = start(`setInterval(() => {}, 1000); console.log("x".repeat(200_000)); throw new Error("failed");`);
    expect(await stray.ended).toBe(1);
    expect(stray.text.err).toBe("error: stray (unexpected; VIVA_DEBUG=1 shows where)\n");
    const lost = start("await new Promise(() => {});");
    const left = start("process.exit(0);");
    for (const { text, ended } of [lost, left]) {
      expect(await ended).toBe(1);
      expect(text.err).toMatch(/^error: the process ended before the command did: /);
    }
    expect(await failed.ended).toBe(1);
    expect(failed.text.out).toHaveLength(200_001);
  });
});
