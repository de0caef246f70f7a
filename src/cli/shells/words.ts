/** What a shell can complete, the same for all shells. */

export interface CommandWords {
  /** With what stands before it: "viva data show". */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly {
    /** "-V", "--version". */
    readonly names: readonly string[];
    readonly description: string;
    readonly takesValue: boolean;
    /** The values it takes; none: file names. */
    readonly values: readonly string[];
  }[];
  /** Of its first argument; none: file names. */
  readonly values: readonly string[];
}

/** A word for a shell, in single quotes. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Every command but the program itself, as it stands on a command line. */
export function pathsBelow(commands: readonly CommandWords[]): readonly string[] {
  return commands.slice(1).map(({ path }) => path);
}
