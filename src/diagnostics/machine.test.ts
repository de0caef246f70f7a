/** Parsing of Linux's /proc/cpuinfo. */
import { expect, test } from "vitest";
import { cpuFacts } from "./machine.ts";

const processor = (id: number, socket: number, core: number) =>
  `processor\t: ${id}\nflags\t\t: fpu sse2 avx2 avx fma avx512f\nphysical id\t: ${socket}\ncore id\t\t: ${core}\n`;

test("physical cores are counted once, across sockets", () => {
  const text = [processor(0, 0, 0), processor(1, 0, 0), processor(2, 0, 1), processor(3, 1, 0)].join("\n");
  expect(cpuFacts(text)).toEqual({ physical_cores: 3, features: ["avx", "avx2", "fma", "avx512f"] });
});

test("ARM lists its extensions as Features and no cores", () => {
  const text = "processor\t: 0\nFeatures\t: fp asimd asimddp bf16\n";
  expect(cpuFacts(text)).toEqual({ physical_cores: null, features: ["asimd", "asimddp", "bf16"] });
});

test("without /proc/cpuinfo nothing is reported", () => {
  expect(cpuFacts("")).toEqual({ physical_cores: null, features: [] });
});
