/** What experiment trackers share: a tracker is handed what is new of a run's record, and says where it has got to. */

/** Numbers of one step under their names. */
export interface Scalars {
  /** A row of metrics.jsonl, or the summary of an evaluation. */
  readonly of: "step" | "evaluation";
  /** Of the run, from 1; 0 is an evaluation before training. */
  readonly step: number;
  /** Milliseconds since 1970: the run's creation and the recorded time of its steps, so the same whenever it is read. */
  readonly time: number;
  readonly values: Readonly<Record<string, number>>;
}

/** A rollout group to look at. */
export interface Sample {
  readonly step: number;
  readonly time: number;
  /** Question, answer and completions with their rewards, as Markdown. */
  readonly markdown: string;
  /** Empty unless images were asked for. */
  readonly images: readonly SampleImage[];
}

export interface SampleImage {
  readonly png: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** The run as a tracker names it. */
export interface TrackedRun {
  /** The same for every delivery of this run to this place; no two runs share one. 32 hexadecimal digits. */
  readonly id: string;
  /** Name of its folder. */
  readonly name: string;
  readonly project: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  /** The recipe as plain data, without what might be a secret. */
  readonly config: Readonly<Record<string, unknown>>;
}

export interface News {
  readonly run: TrackedRun;
  /** By step; a step comes before its evaluation. */
  readonly scalars: readonly Scalars[];
  readonly samples: readonly Sample[];
  /** When the run was last heard of: the time of its newest row. */
  readonly time: number;
  /** The run's last step is done; more may come all the same, where it is given more steps. */
  readonly ended: boolean;
}

/** What a tracker has to know next time; it is kept as JSON. */
export type TrackerState = Readonly<Record<string, string | number>>;

export interface Tracker {
  /** What `at` names: a folder, which by default is in the run's own, or the address of a server, which must be given. */
  readonly place: "folder" | "address";
  /** Throws UserError for what must be mended before anything can be sent, such as a token that is not there. */
  check?(at: string): void;
  /** Whether the place still has what was sent to it; absent where the place itself is asked. */
  has?(run: TrackedRun, at: string, state: TrackerState): boolean;
  /**
   * Sends what is new to the place `at`. `state` is what the last delivery returned, null before the first. A delivery whose
   * state was lost may come again: it must leave each step once. Throws RunError where the place cannot be reached.
   */
  deliver(news: News, at: string, state: TrackerState | null): Promise<TrackerState>;
}
