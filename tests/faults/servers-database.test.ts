import { expect, setDefaultTimeout, test } from "bun:test";
import { History } from "../support/history.ts";
import { lacksMounts } from "../support/machine.ts";
import { NO_POSTGRES, Postgres } from "../support/postgres.ts";
import { ServerGroup } from "../support/server-group.ts";
import { SmallDisk } from "../support/small-disk.ts";
import { writeRandom } from "../support/sources.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { MiB } from "./stage.ts";

setDefaultTimeout(TEST_LIMIT);

const SIZE = 8 * MiB;
/** Size of Postgres's disk, in bytes: enough for an empty database and some rows. */
const DISK = 128 * MiB;
const NEEDS = NO_POSTGRES + lacksMounts;

test.skipIf(NEEDS !== "")(
  `row 22: the disk of Postgres is full, of three servers${NEEDS}`,
  async () => {
    let disk: SmallDisk | null = null;
    await using postgres = await Postgres.start(
      async (data) => (disk = await SmallDisk.mount(data, DISK)),
    );
    await using room = disk! as SmallDisk;
    const databaseUrl = await postgres.makeDatabase();
    await using group = await ServerGroup.start({ count: 3, databaseUrl });
    await using history = await History.begin(databaseUrl);
    const wanted = {
      file: await writeRandom(group.source("file"), SIZE),
      small: await writeRandom(group.source("small"), 1_000),
    };
    await group.startClient();
    const held = group.network.after("up", SIZE / 2, () => group.network.hold("up"));
    const order = (file_path: "file" | "small") => ({ client_id: "site-1", file_path });
    const { download_id } = await group.at(1).api.startDownload(order("file"));
    await held;
    await room.fill(0);
    // Repeats the request until it is refused, because inserts succeed on a full disk as long as a table's
    // last page has room.
    const refused = await waitFor(
      () =>
        group
          .at(2)
          .api.startDownload(order("small"))
          .then(
            () => null,
            (error: Error) => error,
          ),
      "a row for which there is no room",
    );
    expect(refused).toMatchObject({ status: 507, code: "storage_full" });
    expect(refused.message).toContain("disk of the server's database is full");
    group.network.release("up");
    const asked = (await group.at(0).api.downloads({ limit: "1000" })).downloads;
    expect(await group.published()).toEqual([]);
    await room.free();
    expect(asked.map((one) => one.download_id)).toContain(download_id);
    for (const { download_id: id, file_path } of asked) {
      const version = file_path === "file" ? wanted.file : wanted.small;
      await group.expectDelivered(await group.ended(id), version);
    }
    await waitFor(async () => (await group.parts()).length === 0, "the parts to go");
    await history.expectOneOwnerAtATime();
  },
);
