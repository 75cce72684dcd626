import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { readConnectionRecord } from "../../lib/client/connection-record.ts";
import { lacksMounts } from "../support/machine.ts";
import { SmallDisk } from "../support/small-disk.ts";
import { writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Row 63 of the fault table: the disk of a client's state folder is full, so the client cannot record what it
 * sends.
 */

const KiB = 1024;

test.skipIf(lacksMounts !== "")(
  `row 63: the disk of a client's state folder is full${lacksMounts}`,
  async () => {
    let disk: SmallDisk | null = null;
    await using system = await System.start(
      {},
      {
        prepare: async (folder) => {
          disk = await SmallDisk.mount(join(folder, "site-1"), 256 * KiB);
          return disk;
        },
      },
    );
    const wanted = await writeRandom(system.source("file"), 600 * KiB);
    const client = await system.startClient({ env: { MAX_BYTES_PER_DAY: "1000KiB" } });
    // Waits until the client has written its state as connected. A later rewrite of that file would free room
    // on the full disk.
    await waitFor(
      async () =>
        (await readConnectionRecord(join(system.folder, "site-1")))?.state === "connected",
      "the client to have written that it is connected",
    );
    await disk!.fill(0);
    // If failed tries were counted, three of them would exceed the daily limit.
    for (let time = 0; time < 3; time++) {
      expect(await system.ended(await system.pull("file"))).toMatchObject({
        status: "failed",
        error_code: "access_denied",
        error:
          "the site cannot record what leaves in a day, so nothing does: the disk of its state folder is full",
      });
    }
    await disk!.free();
    await system.expectDelivered(await system.ended(await system.pull("file")), wanted);
    client.signal("SIGTERM");
    expect(await client.ended()).toBe(0);
  },
);
