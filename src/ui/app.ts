/**
 * What the pages ask for, one route a question. Reading routes are paths without parameters behind a "?", so that a static
 * bundle can hold their answers as files; nothing but annotations is written.
 */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import * as z from "zod";
import type { LiveAnswers } from "../core/live-answers.ts";
import type { ProcessedImage } from "../core/processor.ts";
import type { ImageRef } from "../core/records.ts";
import { milestones, runStatistics } from "../evaluate/run-statistics.ts";
import { type Access, guard, openSession } from "./access.ts";
import { annotate, annotationsFolder, annotatorName, markSchema, readAnnotations } from "./annotations.ts";
import { checkpointDamage, checkpointRows } from "./checkpoint-list.ts";
import { compareShown } from "./comparison.ts";
import { dataSummary } from "./data-summary.ts";
import { calibrationOf, type ExportKind, exportLines, markedCompletions } from "./exports.ts";
import {
  type GeneratedImages,
  type ImageMakers,
  type ImageValues,
  imageId,
  imageValues,
  refOf,
  thumbnailOf,
  windowedRef,
} from "./images.ts";
import type { Library } from "./library.ts";
import type { Line } from "./lines.ts";
import { lookAlikes } from "./look-alikes.ts";
import { type AskedWindow, openPlay } from "./play.ts";
import { probesOf } from "./probes.ts";
import { annotationQueue, shownItem } from "./queue.ts";
import { reportIn, reportPage } from "./report-file.ts";
import { runDetail } from "./run-detail.ts";
import { noteRun, readNotes, runNoteSchema } from "./run-notes.ts";
import type { RunView } from "./run-view.ts";
import { readStudy } from "./study.ts";
import { shownEvaluation, tailRun } from "./tail.ts";

export interface UiOptions {
  readonly library: Library;
  readonly access: Access;
  /** Real paths of folders whose images may be shown, beside the library's. */
  readonly imageRoots: readonly string[];
  readonly generated: GeneratedImages;
  readonly remade: ImageMakers["remade"];
  /** What a model's processor makes of an image; null where it cannot be told. */
  readonly modelView: (folder: string, image: ImageRef) => Promise<ProcessedImage | null>;
  /** Answers questions with a checkpoint; null where this page may not. */
  readonly play: LiveAnswers | null;
  readonly version: string;
  /** Told of failures that are ours. */
  readonly onFailure: (error: unknown) => void;
}

const QUEUE = { seed: 0, most: 200 };
const MOST_HITS = 500;
const MOST_ARMS = 12;
const BODY_BYTES = 12_000_000;

const annotationBody = z.strictObject({
  by: annotatorName,
  target: z.string().max(64),
  text_sha256: z.string().length(64),
  withdrawn: z.boolean(),
  mark: markSchema,
});

export type UiApp = ReturnType<typeof createUiApp>;

export function createUiApp(o: UiOptions) {
  const { library } = o;
  const imagesOf = async (run: RunView, sha256: string): Promise<ImageValues> => {
    const recorded = found(run.image(sha256), "image of this name in the run's record");
    const roots = [...library.roots, ...o.imageRoots];
    const values = await imageValues(recorded.path, roots, {
      generated: o.generated(run.found.folder),
      remade: o.remade,
    });
    if ("reason" in values) throw new HTTPException(404, { message: values.reason });
    return values;
  };
  const refIn = async (run: RunView, sha: string, window: AskedWindow = null) => {
    const values = await imagesOf(run, sha);
    const { path } = run.image(sha)!;
    return window === null ? refOf(path, values) : windowedRef(path, values, window);
  };
  const found = <T>(value: T | null | undefined, what: string): T => {
    if (value === null || value === undefined) throw new HTTPException(404, { message: `there is no ${what}` });
    return value;
  };
  const showReport = (c: Context, folder: string) => {
    const { text, headers } = reportPage(found(reportIn(folder), "report in this folder"));
    return c.body(text, 200, headers);
  };
  const app = new Hono();
  app.use("*", guard(o.access));
  app.use("*", bodyLimit({ maxSize: BODY_BYTES }));
  app.onError((error, c) => {
    if (error instanceof HTTPException) return c.json({ error: error.message }, error.status);
    o.onFailure(error);
    return c.json({ error: "the page's server failed; its terminal says why" }, 500);
  });
  return app
    .post("/api/session", async (c) => {
      const body: unknown = await c.req.json().catch(() => null);
      const token = (body as { readonly token?: unknown } | null)?.token;
      return openSession(c, o.access, token) ? c.json({ open: true }) : c.json({ error: "the token is wrong" }, 401);
    })
    .get("/api/state", (c) => {
      return c.json({ version: o.version, roots: library.roots, play: o.play !== null, bundle: false });
    })
    .get("/api/runs", (c) => {
      const { studies, notices } = library.found();
      return c.json({ runs: library.rows(), studies: studies.map(({ id, path }) => ({ id, path })), notices });
    })
    .get("/api/recipes", (c) => {
      const recipes = library.found().runs.map(({ id }) => [id, flatRecipe(library.run(id))] as const);
      return c.json(Object.fromEntries(recipes));
    })
    .get("/api/runs/:run", (c) => c.json(runDetail(library, library.run(c.req.param("run")))))
    .get("/api/runs/:run/tail", (c) => tailRun(c, library.run(c.req.param("run")), c.req.query("from") ?? ""))
    .get("/api/runs/:run/groups", (c) => c.json(library.run(c.req.param("run")).groups.columns()))
    .get("/api/runs/:run/groups/:step/:group", (c) => {
      const id = `${c.req.param("step")}/${c.req.param("group")}`;
      return c.json(found(library.run(c.req.param("run")).groups.group(id), `group ${id.slice(0, 40)}`));
    })
    .get("/api/runs/:run/tokens/:step/:group", (c) => {
      const step = Number(c.req.param("step"));
      if (!Number.isInteger(step) || step < 0) throw new HTTPException(404, { message: "there is no such step" });
      const run = library.run(c.req.param("run"));
      return c.json(found(run.tokens(step, `${step}/${c.req.param("group")}`), "token record of this group"));
    })
    .get("/api/runs/:run/search/:text", (c) => {
      const { groups } = library.run(c.req.param("run"));
      return c.json({ groups: groups.search(c.req.param("text"), MOST_HITS), most: MOST_HITS });
    })
    .get("/api/runs/:run/images/:sha", async (c) => {
      const { data, ...about } = await imagesOf(library.run(c.req.param("run")), c.req.param("sha"));
      return pixels(c, data, about);
    })
    .get("/api/runs/:run/images/:sha/thumbnail", async (c) => {
      const values = await imagesOf(library.run(c.req.param("run")), c.req.param("sha"));
      return c.body(await thumbnailOf(values), 200, { "content-type": "image/webp" });
    })
    .get("/api/runs/:run/images/:sha/model", async (c) => {
      const run = library.run(c.req.param("run"));
      const sha = c.req.param("sha");
      const ref = await refIn(run, sha);
      const view = await o.modelView(run.found.folder, ref);
      const { image, ...about } = found(
        view,
        "view of the model: it is not on this machine, or cuts images into tiles",
      );
      const { data, ...size } = image;
      return pixels(c, data, { ...size, bits: 8, ...about });
    })
    .get("/api/runs/:run/evals/:n", (c) => {
      const run = library.run(c.req.param("run"));
      const evaluation = found(run.evaluations[Number(c.req.param("n"))], "such evaluation");
      return c.json({ evaluation: shownEvaluation(evaluation), items: run.items(evaluation).map(withImageIds) });
    })
    .get("/api/runs/:run/statistics", (c) => {
      const run = library.run(c.req.param("run"));
      return c.json(library.cached(run, "statistics", () => runStatistics(milestones(run.found.folder))));
    })
    .get("/api/runs/:run/data", (c) => {
      const run = library.run(c.req.param("run"));
      return c.json(library.cached(run, "data", () => dataSummary(run)));
    })
    .get("/api/runs/:run/look-alikes", async (c) => {
      const run = library.run(c.req.param("run"));
      return c.json(await library.cached(run, "look-alikes", () => lookAlikes(run, (id) => refIn(run, id))));
    })
    .get("/api/runs/:run/checkpoints", async (c) => {
      return c.json(await checkpointRows(library.run(c.req.param("run"))));
    })
    .get("/api/runs/:run/checkpoints/:step", async (c) => {
      const damage = await checkpointDamage(library.run(c.req.param("run")), Number(c.req.param("step")));
      return c.json({ damage });
    })
    .get("/api/compare/:names", (c) => {
      const names = c.req.param("names").split("+").slice(0, MOST_ARMS);
      const arms = names.map((name) => {
        const [id, step] = splitName(name);
        const { folder, path } = library.run(id).found;
        return { path: step === null ? folder : `${folder}@${step}`, label: step === null ? path : `${path}@${step}` };
      });
      return c.json(compareShown(arms));
    })
    .get("/api/studies/:study", (c) => c.json(readStudy(library, library.study(c.req.param("study")))))
    .get("/api/studies/:study/report", (c) => showReport(c, library.study(c.req.param("study")).folder))
    .get("/api/runs/:run/report", (c) => showReport(c, library.run(c.req.param("run")).found.folder))
    .get("/api/runs/:run/queue/:by", (c) => {
      const run = library.run(c.req.param("run"));
      const by = nameOf(c);
      const marks = readAnnotations(annotationsFolder(run.found.folder)).filter((mark) => mark.by === by);
      const queue = library.cached(run, "queue", () => annotationQueue(run, QUEUE));
      const isDone = ({ row, completion, repeat }: (typeof queue)[number]) =>
        marks.some((mark) => mark.row === row && mark.completion === completion && mark.repeat === repeat);
      return c.json({ items: queue.map((item) => ({ ...shownItem(item), done: isDone(item) })) });
    })
    .post("/api/runs/:run/annotations", async (c) => {
      const run = library.run(c.req.param("run"));
      const read = annotationBody.safeParse(await c.req.json().catch(() => null));
      if (!read.success) return c.json({ error: `not an annotation: ${z.prettifyError(read.error)}` }, 400);
      const { by, target, text_sha256, mark, withdrawn } = read.data;
      const queue = library.cached(run, "queue", () => annotationQueue(run, QUEUE));
      const item = found(
        queue.find((one) => one.target === target),
        "such completion in the queue: it has changed, load the page again",
      );
      if (shownItem(item).text_sha256 !== text_sha256) {
        return c.json({ error: "the text has changed since it was shown: load the page again" }, 409);
      }
      const { row, completion, text, repeat, other } = item;
      const about = { run: run.found.path, row, completion, text, repeat };
      const better = mark.better_than === null ? null : (other?.completion ?? null);
      const folder = annotationsFolder(run.found.folder);
      const line = annotate(folder, by, about, { ...mark, better_than: better }, { blind: true, withdrawn });
      return c.json({ id: line.id });
    })
    .post("/api/runs/:run/notes", async (c) => {
      const run = library.run(c.req.param("run"));
      const read = runNoteSchema.safeParse(await c.req.json().catch(() => null));
      if (!read.success) return c.json({ error: `not a note on a run: ${z.prettifyError(read.error)}` }, 400);
      noteRun(run.found.folder, read.data);
      return c.json(readNotes(run.found.folder));
    })
    .get("/api/runs/:run/probes", (c) => c.json(probesOf(library.run(c.req.param("run")).found.folder)))
    .get("/api/runs/:run/calibration", (c) => {
      return c.json(calibrationOf(markedCompletions(library.run(c.req.param("run")))));
    })
    .get("/api/runs/:run/export/:kind", (c) => {
      const kind = z.enum(["calibration", "pairs", "rationales"]).safeParse(c.req.param("kind"));
      if (!kind.success) throw new HTTPException(404, { message: "exports are calibration, pairs and rationales" });
      const lines = exportLines(markedCompletions(library.run(c.req.param("run"))), kind.data satisfies ExportKind);
      return c.body(lines.map((line) => `${JSON.stringify(line)}\n`).join(""), 200, {
        "content-type": "application/x-ndjson; charset=utf-8",
        "content-disposition": `attachment; filename="${kind.data}.jsonl"`,
      });
    })
    .post("/api/runs/:run/play", async (c) => {
      const play = found(o.play, "model here: start viva ui without --no-play");
      const run = library.run(c.req.param("run"));
      const asked: unknown = await c.req.json().catch(() => null);
      return openPlay(c, play, run, asked, (sha, window) => refIn(run, sha, window));
    });
}

/** Pixel values, what they are in a header. */
function pixels(c: Context, data: Uint8Array, about: object): Response {
  return c.body(new Uint8Array(data), 200, {
    "content-type": "application/octet-stream",
    "x-image": JSON.stringify(about),
  });
}

/** A page asks for images by id, never by path. */
function withImageIds({ images, ...item }: Line): Line {
  return Array.isArray(images) ? { ...item, images: images.map((path) => imageId(String(path))) } : item;
}

/** "ID@120" as id and step. */
function splitName(name: string): readonly [string, string | null] {
  const [, id, step] = /^(.+)@(\d+)$/.exec(name) ?? [];
  return id === undefined ? [name, null] : [id, step!];
}

function nameOf(c: Context): string {
  const by = annotatorName.safeParse(c.req.param("by"));
  if (!by.success)
    throw new HTTPException(404, { message: "an annotator's name has small letters, digits and dashes" });
  return by.data;
}

/** The recipe's values by dotted key. */
function flatRecipe(run: RunView): Readonly<Record<string, string | number>> {
  const flat: Record<string, string | number> = {};
  const walk = (value: unknown, key: string) => {
    if (typeof value === "object" && value !== null) {
      for (const [name, inner] of Object.entries(value)) walk(inner, key === "" ? name : `${key}.${name}`);
    } else flat[key] = typeof value === "number" ? value : String(value);
  };
  walk(run.recipe.values ?? {}, "");
  return flat;
}
