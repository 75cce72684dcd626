import { expect, setDefaultTimeout, test } from "bun:test";
import { ApiCallError } from "../../lib/cli/rest/api-errors.ts";
import { Proxy } from "../support/proxy.ts";
import { Random } from "../support/random.ts";
import { writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { SEED, seedCount } from "./seeds.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Row 39 of the fault table: operators cancel or retry a download at the moment it ends by itself. */

const SIZE = 100_000;
/** Typical durations of checking, flushing and publishing a file, in ms. */
const ENDINGS = [5, 30, 200];
const ROUNDS = seedCount(30);

/** Returns the result of an API call, or the error code if it was refused. */
async function answerOf<T>(call: Promise<T>): Promise<T | string> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof ApiCallError) return error.code;
    throw error;
  }
}

test(
  `row 39: cancel races completion, retry races cancel (FDS_SEED=${SEED})`,
  async () => {
    const random = new Random(SEED);
    await using system = await System.start();
    await using proxy = await Proxy.listen(system.port);
    const wanted = await writeRandom(system.source("file"), SIZE);
    await system.startClient({ server: proxy.url });
    const statuses = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      proxy.hold("up");
      const id = await system.pull("file");
      const struck = proxy.after("up", random.int(1, SIZE), () => undefined);
      proxy.release("up");
      await struck;
      // Waits until a random moment during the end of the download.
      await Bun.sleep(random.float() * random.pick(ENDINGS));
      const [first, retried, second] = await Promise.all([
        answerOf(system.api.cancel(id)),
        answerOf(system.api.retry(id)),
        answerOf(system.api.cancel(id)),
      ]);

      const record = await system.ended(id);
      statuses.add(record.status);
      if (record.status === "completed") {
        await system.expectDelivered(record, wanted);
        expect([first, second]).toEqual(["download_already_ended", "download_already_ended"]);
        expect(retried).toBeOneOf(["download_already_ended", "download_not_finished"]);
      } else {
        expect(record.status).toBe("cancelled");
        // Exactly one of the two cancel requests succeeded.
        expect([first, second]).toContainEqual({ ...record, retried_as: null });
        expect([first, second]).toContainEqual("download_already_ended");
      }
      if (typeof retried !== "string") {
        await system.expectDelivered(await system.ended(retried.download_id), wanted);
      } else if (record.status === "cancelled") expect(retried).toBe("download_not_finished");
      const retriedAs = typeof retried === "string" ? null : retried.download_id;
      expect(record.retried_as).toBe(retriedAs);
      // The record of an ended download does not change any more.
      expect(await system.api.download(id)).toEqual(record);
    }
    // Both outcomes must have occurred, or the rounds have not met the race.
    expect([...statuses].toSorted()).toEqual(["cancelled", "completed"]);
    await system.expectTidy();
  },
  30_000 + ROUNDS * 1_000,
);
