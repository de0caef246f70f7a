/** The checkpoints of a run: size, whether they are whole, what they scored, and the commands that use them. Nothing is deleted here. */
import { useState } from "preact/hooks";
import type { CheckpointRow } from "../../src/ui/checkpoint-list.ts";
import { bytes, intervalText } from "../format.ts";
import { Button, Table } from "../parts/controls.tsx";
import { CopyButton, Loaded, To } from "../parts/ways.tsx";
import { isBundle, read } from "../source.ts";
import { type OfRun, useAnswer } from "../use-data.ts";

export function CheckpointsPage({ id, run }: OfRun) {
  const asked = useAnswer<readonly CheckpointRow[]>(["runs", id, "checkpoints"]);
  const best = run.row.best?.step ?? null;
  const cells = (row: CheckpointRow) => [
    <>
      {row.name} {row.step === best && <span class="badge good">best</span>}
    </>,
    row.kind,
    bytes(row.bytes),
    <Whole key={row.step} id={id} row={row} />,
    row.accuracy === null ? "–" : `${intervalText({ ...row.accuracy, subjects: 0 })} n ${row.accuracy.n}`,
    <>
      {!isBundle && (
        <To path={["runs", id, "play"]} values={{ step: row.step }}>
          ask it
        </To>
      )}{" "}
      <CopyButton label="copy export command" text={() => `viva export ${run.folder}/checkpoints/${row.name} --out exported`} />
    </>,
  ];
  const head = ["checkpoint", "kind", "size", "files", "accuracy of its evaluation", ""];
  return (
    <Loaded
      asked={asked}
      show={(rows) =>
        rows.length === 0 ? (
          <p>No checkpoint has been written yet.</p>
        ) : (
          <Table label="Checkpoints" head={head} rows={rows.map((row) => ({ key: row.step, cells: cells(row) }))} />
        )
      }
    />
  );
}

/** Sizes are compared at once; checksums, which read every byte, when asked for. */
function Whole({ id, row }: { readonly id: string; readonly row: CheckpointRow }) {
  const [found, setFound] = useState<string | null>(null);
  const check = async () => {
    setFound("reading …");
    const { damage } = await read<{ readonly damage: string | null }>(["runs", id, "checkpoints", row.step]);
    setFound(damage === null ? "✓ all checksums match" : `✗ ${damage}`);
  };
  const sizes = row.complete === null ? "no checksums" : row.complete ? `${row.files} files, sizes right` : "✗ a file is missing or cut";
  return (
    <>
      {found ?? sizes}{" "}
      {!isBundle && row.complete !== null && found === null && <Button class="quiet" text="check" on={() => void check()} />}
    </>
  );
}
