/** A clock for tests that limit time: what this process computed, in milliseconds; the machine may be busy with others. */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
