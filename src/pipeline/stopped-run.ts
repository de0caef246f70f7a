/** A run that ends early loses nothing it can keep: the weights of its last whole step are written before the error goes on. */
import { messageOf, OverflowError } from "../core/errors.ts";
import { type Run, recordRows } from "../runs/run-folder.ts";
import type { Session } from "../session/session.ts";
import type { Told } from "./observers/index.ts";
import { type Standing, writeStanding } from "./run-checkpoints.ts";

export interface Safety {
  standing(): Standing;
  /** The record of a step is whole, and the engine holds its weights. */
  reached(standing: Standing): void;
  /** The present standing has a checkpoint. */
  saved(): void;
  /** The weights are no numbers any more: there is nothing to save, and going on would end in the same place. */
  spoilt(): void;
  /** Saves where the run stands, if it is not saved and its weights are still there, and tells how to go on. Throws nothing. */
  stop(told: Told, error: unknown): Promise<void>;
}

/** From where the run was restored; null at its beginning. */
export function openSafety(session: Session, run: Run, restored: Standing | null): Safety {
  const { engine } = session;
  let standing: Standing = restored ?? { step: 0, owed: false };
  let rows = recordRows(run);
  let updates = engine.updates;
  let saved = restored?.step ?? null;
  let isSpoilt = false;
  const lossOf = async (): Promise<string | null> => {
    if (standing.step === (saved ?? 0)) return null;
    if (engine.updates !== updates) {
      return `what came after step ${saved ?? 0} is lost: the record of step ${standing.step + 1} is not whole`;
    }
    try {
      await writeStanding(session, run, standing, rows);
      saved = standing.step;
      return null;
    } catch (error) {
      return messageOf(error);
    }
  };
  return {
    standing: () => standing,
    reached(next) {
      standing = next;
      rows = recordRows(run);
      updates = engine.updates;
    },
    saved() {
      saved = standing.step;
    },
    spoilt() {
      isSpoilt = true;
    },
    async stop(told, error) {
      if (isSpoilt || error instanceof OverflowError) return;
      const lost = await lossOf();
      try {
        told.notice({
          notice: "stopped",
          folder: run.paths.folder,
          step: saved,
          lost: lost === messageOf(error) ? null : lost,
        });
      } catch {} // an observer that fails is what the run ends of already
    },
  };
}
