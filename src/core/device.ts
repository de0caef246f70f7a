/** Names of the devices that a recipe or a command can ask for; which of them work depends on the machine. */
export const devices = ["cpu", "webgpu", "cuda", "coreml", "dml"] as const;
export type Device = (typeof devices)[number];
