import { expect, setDefaultTimeout, test } from "bun:test";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import { frame, REGISTER, ScriptedClient } from "../support/scripted-client.ts";
import { type Version, writeRandom } from "../support/sources.ts";
import { ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Row 36 of the fault table: a client that occupies a shared resource, then sends one byte per second.
 * Waiting downloads of others must get the resource, and the slow download is queued again.
 */

const KiB = 1024;
const MiB = 1024 * KiB;

/** A client that announces a file of a certain size, then sends one byte of it per second. */
class Miser implements AsyncDisposable {
  readonly #timers: Timer[] = [];

  private constructor(private readonly client: ScriptedClient) {}

  static async connect(system: System, client_id: string): Promise<Miser> {
    const fields = { client_id, enroll_token: ENROLL_TOKEN };
    return new Miser(await ScriptedClient.register(system.url, fields));
  }

  /**
   * Answers the next download request, then sends a byte per second.
   * @param size of the file, in bytes
   * @param ahead bytes that are sent at once
   */
  async begin(size: number, ahead = 0): Promise<void> {
    const request = await this.client.next("download_request");
    const identity = { size, mtime_ns: "1", ctime_ns: "2", inode: "3", device: "4" };
    this.client.start(request, Buffer.alloc(0), { identity, total_size: size });
    await this.client.next("credit");
    let offset = 0;
    while (offset < ahead) {
      const length = Math.min(REGISTER.chunk_size, ahead - offset);
      this.client.sendRaw(frame(request, offset, Buffer.alloc(length)));
      offset += length;
    }
    const drip = () => this.client.sendRaw(frame(request, offset++, Buffer.from("x")));
    this.#timers.push(setInterval(drip, 1000));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.client[Symbol.asyncDispose]();
  }
}

interface Stage {
  system: System;
  wanted: Version;
  miser: Miser;
}

/** Sets up a server with an honest client and a {@link Miser}, and runs a test on it. */
async function withMiser(
  env: Record<string, string>,
  size: number,
  act: (stage: Stage) => Promise<void>,
): Promise<void> {
  await using system = await System.start(env);
  const wanted = await writeRandom(system.source("data.bin"), size);
  await system.startClient({ id: "honest" });
  await using miser = await Miser.connect(system, "miser");
  await act({ system, wanted, miser });
}

async function expectPull({ system, wanted }: Stage): Promise<DownloadRecord> {
  const record = await system.ended(await system.pull("data.bin", "honest"));
  await system.expectDelivered(record, wanted);
  return record;
}

const SCENES = {
  "the only slot": () =>
    withMiser({ MAX_ACTIVE_DOWNLOADS: "1" }, MiB, async (stage) => {
      const { system, miser } = stage;
      const held = await system.pull("data.bin", "miser");
      await miser.begin(100 * MiB);
      await expectPull(stage);
      const record = await waitFor(async () => {
        const now = await system.api.download(held);
        return now.error_code !== null && now;
      }, "the miser's record to say why it waits");
      expect(record).toMatchObject({
        status: "queued",
        error_code: "client_timeout",
        error: expect.stringMatching(/^the client sent \d+ B in \d+ s and others wait/),
      });
    }),
  "the quota, by what it says": () =>
    withMiser({ QUOTA: "10MiB" }, 8 * MiB, async (stage) => {
      await stage.system.pull("data.bin", "miser");
      await stage.miser.begin(10 * MiB);
      await expectPull(stage);
    }),
  "the quota, by what it sent": () =>
    withMiser({ QUOTA: "1000KiB" }, 800 * KiB, async (stage) => {
      await stage.system.pull("data.bin", "miser");
      await stage.miser.begin(1000 * KiB, 600 * KiB);
      await expectPull(stage);
    }),
  "the credit": () =>
    withMiser({ RECEIVE_BUDGET: "1MiB", CHUNK_SIZE: "1MiB" }, 8 * MiB, async (stage) => {
      await stage.system.pull("data.bin", "miser");
      await stage.miser.begin(100 * MiB);
      await expectPull(stage);
    }),
};

test(`row 36: a client that sends a byte a second keeps nobody from ${Object.keys(SCENES).join(", ")}`, async () => {
  await Promise.all(Object.values(SCENES).map((scene) => scene()));
});
