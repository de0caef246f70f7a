/** What notes on a run are about, as its pages and their server name it. */

/** "tag baseline" says that the run has this tag. */
export const tagMatter = (tag: string) => `tag ${tag}`;

/** One ringing of an alarm. */
export function alarmMatter(alarm: Readonly<Record<string, unknown>>): string {
  return `alarm ${alarm["rule"]} ${alarm["subject"] ?? ""} ${alarm["step"]}`;
}

/** The tags among the notes. */
export function tagsIn(notes: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.keys(notes).flatMap((about) => (about.startsWith("tag ") ? [about.slice("tag ".length)] : []));
}
