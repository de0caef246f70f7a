/** The names of devices that a recipe or a command may ask for; which of them work is the machine's matter. */
export const devices = ["cpu", "webgpu", "cuda", "coreml", "dml"] as const;
export type Device = (typeof devices)[number];
