import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { footprintOf } from "../support/footprint.ts";
import { lacksStrace } from "../support/machine.ts";
import { writeRandom } from "../support/sources.ts";
import { Strace } from "../support/strace.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { KiB, MiB, setStage, WINDOW } from "./stage.ts";

setDefaultTimeout(TEST_LIMIT);

/**
 * Delay of each write, in µs. In this time the network could deliver thousands of times the bytes of a
 * write.
 */
const WRITE_TAKES = 500_000;
/** The number of slow writes to wait for. */
const SLOW_WRITES = 6;
const SIZE = 24 * MiB;
/** Bytes allowed for frame headers and messages. */
const HEADERS = 64 * KiB;
/** Freed memory that the runtime may keep, in bytes: far less than a client could send meanwhile. */
const SPARE_MEMORY = 64 * MiB;

test.skipIf(lacksStrace !== "")(`row 19: a slow disk at the server${lacksStrace}`, async () => {
  await using stage = await setStage({ size: SIZE });
  const { system, proxy, invariants } = stage;
  const other = await writeRandom(system.source("other"), 16 * MiB);
  await system.startClient({ id: "site-2" });
  const held = proxy.after("up", MiB, () => proxy.hold("up"));
  const before = proxy.carried.up;
  const slow = await system.pull("file");
  await held;
  const { memory } = await footprintOf(system.server);
  await using strace = await Strace.attach(system.server, system.folder, {
    calls: "pwrite64",
    inject: `delay_enter=${WRITE_TAKES}`,
    path: join(system.serverFolder, "parts", `${slow}.part`),
  });
  proxy.release("up");

  const fast = await system.pull("other", "site-2");
  let most = 0;
  const look = async () => {
    const carried = proxy.carried.up - before;
    const { status, bytes_received } = await system.api.download(slow);
    expect(status).toBe("downloading");
    expect(carried - bytes_received).toBeLessThanOrEqual(WINDOW + HEADERS);
    most = Math.max(most, (await footprintOf(system.server)).memory);
  };
  const writes = async () => {
    await look();
    return strace.lines.length >= SLOW_WRITES;
  };
  // The fast download ends while the slow one still waits for its disk, as the checks below show.
  await system.ended(fast);
  await waitFor(writes, `${SLOW_WRITES} slow writes`);
  expect(most).toBeLessThan(memory + WINDOW + SPARE_MEMORY);
  await strace[Symbol.asyncDispose]();
  await invariants.expectEnded(
    new Map([
      [slow, stage.wanted],
      [fast, other],
    ]),
  );
});
