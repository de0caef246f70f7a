/**
 * Trackio: a project on a self-hosted server, through the HTTP API that its own client uses
 * (https://huggingface.co/docs/trackio/self_hosted_server). The server keeps an entry once by its `log_id`.
 */
import { UserError } from "../core/errors.ts";
import { send, type TrackerAnswer } from "./http.ts";
import type { Sample, TrackedRun, Tracker } from "./tracker.ts";

export const trackio: Tracker = {
  place: "address",
  check() {
    if (!process.env["TRACKIO_WRITE_TOKEN"]) {
      throw new UserError(
        "trackio: set TRACKIO_WRITE_TOKEN to the write_token of the address that `trackio show` prints",
      );
    }
  },
  async deliver({ run, scalars, samples }, at) {
    const shown = [];
    for (const sample of samples) {
      shown.push({ of: "sample", step: sample.step, values: await sampleValues(at, run, sample) });
    }
    const logs = [...scalars, ...shown].map(({ of, step, values }) => {
      const { project, name, id, config } = run;
      return { project, run: name, run_id: id, step, metrics: values, config, log_id: `${id}-${of}-${step}` };
    });
    if (logs.length > 0) await call(at, "bulk_log", { logs });
    return {};
  },
};

function call(at: string, name: string, values: object): Promise<TrackerAnswer> {
  const json = { args: [], kwargs: { ...values, hf_token: null } };
  return send(`${at}/api/${name}`, { json, headers: token() });
}

function token(): Readonly<Record<string, string>> {
  return { "x-trackio-write-token": process.env["TRACKIO_WRITE_TOKEN"] ?? "" };
}

async function sampleValues(at: string, run: TrackedRun, { step, markdown, images }: Sample): Promise<object> {
  const media: Record<string, object> = {};
  for (const [i, { png }] of images.entries()) {
    const name = `viva-${step}-${i}.png`;
    const form = new FormData();
    form.append("files", new Blob([Uint8Array.from(png)]), name);
    const { json } = await send(`${at}/api/upload`, { body: form, headers: token() });
    const path = (json?.["paths"] as readonly string[] | undefined)?.[0];
    const file = { path, orig_name: name, meta: { _type: "gradio.FileData" } };
    const upload = {
      project: run.project,
      run: run.name,
      run_id: run.id,
      step,
      relative_path: null,
      uploaded_file: file,
    };
    await call(at, "bulk_upload_media", { uploads: [upload] });
    // The server's folder of a project's media: letters, digits, dashes and underscores of its name.
    const folder = run.project.replace(/[^\p{L}\p{N}_-]/gu, "") || "default";
    media[`rollouts/image_${i}`] = {
      _type: "trackio.image",
      file_path: `${folder}/${run.name}/${step}/${name}`,
      caption: null,
    };
  }
  return { "rollouts/sample": { _type: "trackio.markdown", _value: markdown }, ...media };
}
