import { expect, setDefaultTimeout, test } from "bun:test";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import { localClock } from "../../lib/util/time-zone.ts";
import { lacksFaketime } from "../support/machine.ts";
import { runProgram } from "../support/operator.ts";
import { Proxy } from "../support/proxy.ts";
import { writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { WallClock } from "../support/wall-clock.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Rate limits, from outside. Exact rates are tested with a fake clock in tests/util/token-bucket.test.ts,
 * tests/server/transfer/rate-limit.test.ts and tests/client/send-scheduler.test.ts.
 */

const KiB = 1024;
const MiB = 1024 * KiB;
/** Bytes per second. The file would take four minutes at this rate, longer than the time limit of a test. */
const SLOW = 64 * KiB;
const SIZE = 16 * MiB;

/** Waits until the server has received the first bytes of a download. */
const isMoving = (system: System, id: string): Promise<DownloadRecord> =>
  waitFor(async () => {
    const record = await system.api.download(id);
    return record.bytes_received > 0 && record;
  }, "the first bytes");

test("a download keeps to its limit, survives a break with it, and goes on when it is lifted", async () => {
  await using system = await System.start();
  await using proxy = await Proxy.listen(system.port);
  await system.startClient({ server: proxy.url });
  const wanted = await writeRandom(system.source("a.bin"), SIZE);
  const { download_id } = await system.api.startDownload({
    client_id: "site-1",
    file_path: "a.bin",
    rate_limit: SLOW,
  });
  expect(await isMoving(system, download_id)).toMatchObject({ rate_limit: SLOW });
  proxy.cut("rst");
  await waitFor(
    async () => (await system.api.download(download_id)).attempts > 1,
    "another attempt",
  );
  expect(proxy.carried.up).toBeLessThan(4 * MiB);
  expect(await system.api.change(download_id, { rate_limit: null })).toMatchObject({
    rate_limit: null,
  });
  await system.expectDelivered(await system.ended(download_id), wanted);
});

test("fds limit slows a running download down, and lets it go", async () => {
  await using system = await System.start();
  await system.startClient();
  const wanted = await writeRandom(system.source("a.bin"), SIZE);
  const { download_id } = await system.api.startDownload({
    client_id: "site-1",
    file_path: "a.bin",
    rate_limit: SLOW,
  });
  const limit = (rate: string) => runProgram(system, ["fds", "limit", download_id, rate]);
  await isMoving(system, download_id);
  expect(await limit("96KiB")).toMatchObject({ exitCode: 0, stderr: "" });
  expect(await system.api.download(download_id)).toMatchObject({ rate_limit: 96 * KiB });
  expect(await limit("1")).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('RATE is "1", expected a size of at least 1.0 KiB'),
  });
  expect(await limit("off")).toMatchObject({ exitCode: 0 });
  await system.expectDelivered(await system.ended(download_id), wanted);
  expect(await limit("off")).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining("The download is completed already"),
  });
});

test("a client with RATE_LIMIT sends no faster, whatever the server grants", async () => {
  await using system = await System.start();
  await using proxy = await Proxy.listen(system.port);
  await system.startClient({ server: proxy.url, env: { RATE_LIMIT: "64KiB" } });
  await writeRandom(system.source("a.bin"), SIZE);
  const ids = [await system.pull("a.bin"), await system.pull("a.bin")];
  for (const id of ids) await isMoving(system, id);
  for (const id of ids) expect(await system.api.cancel(id)).toMatchObject({ status: "cancelled" });
  expect(proxy.carried.up).toBeLessThan(4 * MiB);
});

/** Returns the local time `HH:MM` of a time zone, `hoursFromNow` hours from now. */
function hourThere(timeZone: string, hoursFromNow: number): string {
  const minute = localClock(timeZone)(Date.now() + hoursFromNow * 3_600_000);
  const two = (number: number) => String(number).padStart(2, "0");
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}

test.skipIf(lacksFaketime !== "")(
  `a client with rates by the hour changes its rate when the hour comes, under way${lacksFaketime}`,
  async () => {
    const zone = "Asia/Kolkata";
    await using system = await System.start();
    await using proxy = await Proxy.listen(system.port);
    const clock = new WallClock(system.folder, "site-1");
    const rates = `64KiB@${hourThere(zone, -5)}-${hourThere(zone, 5)},off`;
    const env = { ...clock.env, RATE_LIMIT: rates, CLIENT_TIME_ZONE: zone };
    await system.startClient({ server: proxy.url, env });
    const wanted = await writeRandom(system.source("a.bin"), SIZE);
    const id = await system.pull("a.bin");
    await isMoving(system, id);
    expect(proxy.carried.up).toBeLessThan(4 * MiB);
    clock.set(0.5);
    await system.expectDelivered(await system.ended(id), wanted);
    expect(await system.api.download(id)).toMatchObject({ attempts: 1 });
  },
);
