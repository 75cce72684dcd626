import { expect, setDefaultTimeout, test } from "bun:test";
import { ApiCallError } from "../../lib/cli/rest/api-errors.ts";
import { Proxy } from "../support/proxy.ts";
import { Random } from "../support/random.ts";
import { writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { SEED, seedCount } from "./seeds.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* What operators ask for at the very moment at which a download ends by itself. */

const SIZE = 100_000;
/** To check, flush and publish it takes about as long as one of these, in ms. */
const ENDINGS = [5, 30, 200];
const ROUNDS = seedCount(30);

/** What a call gave, or the code of its refusal. */
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
      // The moment of the race, somewhere in the download's last ones.
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
        // One of the two cancels came first.
        expect([first, second]).toContainEqual({ ...record, retried_as: null });
        expect([first, second]).toContainEqual("download_already_ended");
      }
      if (typeof retried !== "string") {
        await system.expectDelivered(await system.ended(retried.download_id), wanted);
      } else if (record.status === "cancelled") expect(retried).toBe("download_not_finished");
      const retriedAs = typeof retried === "string" ? null : retried.download_id;
      expect(record.retried_as).toBe(retriedAs);
      // What has ended stays as it is.
      expect(await system.api.download(id)).toEqual(record);
    }
    // The rounds were worth it: each side won some.
    expect([...statuses].toSorted()).toEqual(["cancelled", "completed"]);
    await system.expectTidy();
  },
  30_000 + ROUNDS * 1_000,
);
