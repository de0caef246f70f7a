/** Devices are probed, and a missing one is a user error that names those that work. */
import { expect, test } from "vitest";
import { devices } from "../../core/device.ts";
import { UserError } from "../../core/errors.ts";
import { requireDevice, tryDevices } from "./devices.ts";

/** Points the driver lookup to a missing file, so that no Vulkan driver is found. */
const env = { ...process.env, VK_ICD_FILENAMES: "/nowhere.json", VK_DRIVER_FILES: "/nowhere.json" };
const reports = await tryDevices(env);

test("every device is reported, with a reason if and only if it does not work", () => {
  expect(reports.map(({ device }) => device)).toEqual(devices);
  expect(reports[0]).toEqual({ device: "cpu", bundled: true, works: true, reason: null });
  for (const { works, reason } of reports) expect(reason === null).toBe(works);
});

test("no platform has both CoreML and DirectML, so one of them is reported as missing", () => {
  const missing = reports.filter(({ bundled }) => !bundled).map(({ device }) => device);
  expect(missing.includes("coreml") || missing.includes("dml")).toBe(true);
});

test("a device that does not work is a UserError that lists those that do", async () => {
  await expect(requireDevice("cpu", env)).resolves.toBeUndefined();
  const { device, reason } = reports.find(({ works }) => !works)!;
  const error: unknown = await requireDevice(device, env).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(UserError);
  const working = reports.filter(({ works }) => works).map((report) => report.device);
  const end = `. Devices that work: ${working.join(", ")}`;
  expect((error as UserError).message).toBe(`the device ${device} does not work here: ${reason}${end}`);
});
