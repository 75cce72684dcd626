import { expect, setDefaultTimeout, test } from "bun:test";
import { openS3Storage } from "../../../../lib/server/storage/s3/s3.ts";
import type { Part, Storage } from "../../../../lib/server/storage/storage.ts";
import { Random } from "../../../support/random.ts";
import { TemporaryS3 } from "../../../support/s3-storage.ts";
import { TEST_LIMIT } from "../../../support/wait.ts";
import { published } from "../storage.contract.ts";

setDefaultTimeout(TEST_LIMIT);

const SEED = Number(process.env["FDS_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const COUNT = 15;
const STEPS = 25;
const PATH = "site-1/file";

/**
 * Random changes of a part: writes, truncations, takeovers by other processes, and late writes by the earlier
 * processes.
 */
class Walk {
  /** The bytes that the part must hold. */
  bytes = Buffer.alloc(0);
  /** The number of bytes that were reported as durable. */
  durable = 0;
  readonly #lost: Part[] = [];

  constructor(
    private readonly temporary: TemporaryS3,
    private readonly random: Random,
    readonly downloadId: string,
    public storage: Storage,
    public part: Part,
  ) {}

  async step(): Promise<void> {
    const { random, part } = this;
    switch (
      random.pick(["write", "write", "write", "check", "sync", "cut", "reopen", "take", "late"])
    ) {
      case "write": {
        const more = random.bytes(random.int(1, 350));
        await part.write(more, this.bytes.length);
        this.bytes = Buffer.concat([this.bytes, more]);
        return;
      }
      case "check":
        this.durable = Math.max(this.durable, await part.checkpoint(this.bytes.length));
        return;
      case "sync":
        await part.sync();
        this.durable = this.bytes.length;
        return;
      case "cut":
        return this.#cut(random.int(0, this.bytes.length));
      case "reopen":
        await part.close();
        return this.#open();
      case "take":
        this.#lost.push(part);
        this.storage = await openS3Storage(this.temporary.options);
        return this.#open();
      case "late":
        return this.#writeLate();
    }
  }

  async #cut(size: number): Promise<void> {
    await this.part.truncate(size);
    this.bytes = this.bytes.subarray(0, size);
    this.durable = Math.min(this.durable, size);
  }

  /** Opens the part, and continues after its durable bytes, as a new attempt does. */
  async #open(): Promise<void> {
    this.part = await this.storage.openPart(this.downloadId);
    expect(this.part.size).toBeGreaterThanOrEqual(this.durable);
    await this.#cut(this.durable);
    const read = await this.part.read(0, this.durable + 1);
    expect(this.bytes.equals(read)).toBe(true);
  }

  /** Writes to the part from a process that has lost it and does not know it yet. */
  async #writeLate(): Promise<void> {
    const late = this.#lost.at(-1);
    if (!late) return;
    try {
      await late.write(this.random.bytes(this.random.int(1, 350)), late.size);
      if (this.random.float() < 0.5) await late.sync();
    } catch {
      // The write fails if the lost part's upload has been aborted.
    }
  }
}

test(`a part holds what was safe, whoever goes on with it (seed ${SEED})`, async () => {
  for (let n = 0; n < COUNT; n++) {
    const random = new Random(SEED + n);
    await using temporary = await TemporaryS3.open({
      segment: 100,
      memory: random.int(200, 2_000),
    });
    const { storage } = temporary;
    const downloadId = Bun.randomUUIDv7();
    const part = await storage.openPart(downloadId);
    const walk = new Walk(temporary, random, downloadId, storage, part);
    for (let step = 0; step < STEPS; step++) await walk.step();
    await walk.part.sync();
    await walk.part.close();
    expect(await walk.storage.publish(downloadId, PATH)).toBe(true);
    const stored = await published(walk.storage, PATH);
    expect(walk.bytes.equals(stored ?? new Uint8Array(1))).toBe(true);
  }
});
