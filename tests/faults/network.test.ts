import { expect, test } from "bun:test";
import { Proxy } from "../support/proxy.ts";
import { writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

test("row 13: a bit flipped in a payload", async () => {
  await using system = await System.start();
  await using proxy = await Proxy.listen(system.port);
  const wanted = await writeRandom(system.source("file"), 8 * MiB);
  await system.startClient({ server: proxy.url });
  // In the first chunk, in one in between, and in the last, after which no other frame comes.
  // Frames are masked by an XOR, so a bit of the wire is a bit of the file.
  for (const offset of [4 * KiB, 4 * MiB, 8 * MiB - 4 * KiB]) {
    void proxy.after("up", offset, (next) => (next[0]! ^= 1));
    const record = await system.ended(await system.pull("file"));
    await system.expectDelivered(record, wanted);
    expect(record.attempts).toBe(1);
  }
  await system.expectTidy();
  const damaged = system.server.log().filter(({ message }) => /came damaged/.test(message));
  expect(damaged).toHaveLength(3);
  expect(damaged[0]).toMatchObject({ offset: 0 });
}, 30_000);
