import { describe, expect, test } from "bun:test";
import { FdsError } from "../../../lib/protocol/errors.ts";
import { NameTakenError } from "../../../lib/server/database/repository.ts";
import { type Download } from "../../../lib/server/download.ts";
import type { DownloadEvent } from "../../../lib/server/download-event.ts";
import { transition } from "../../../lib/server/transition.ts";
import {
  type FilePublishing,
  finishPublishing,
  publish,
  type Report,
} from "../../../lib/server/downloads/publish.ts";
import type { Part, Storage, StoredFile } from "../../../lib/server/storage/storage.ts";
import { states } from "../../support/downloads.ts";

const BYTES = new TextEncoder().encode("what a site sent".repeat(100));
const MD5 = md5(BYTES);
const VERDICT = { digest: MD5, size: BYTES.length, bytesOnWire: BYTES.length };
const OTHERS = new TextEncoder().encode("somebody else's");

function md5(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("md5").update(bytes).digest("hex");
}

/** A simulated power cut. No step after it is done. */
class PowerCut extends Error {}

/** A disk and a row that survive a power cut, which comes before a chosen step. */
class World implements Pick<Storage, "publish" | "openFile" | "openPart" | "removePart"> {
  /** Published files by their path. */
  readonly files = new Map<string, Uint8Array>();
  part: Uint8Array | null = BYTES;
  row: Download = {
    ...states.downloading,
    source: { ...states.downloading.source!, totalSize: BYTES.length },
  };
  /** Saved paths in the rows of other downloads. */
  readonly held = new Set<string>();
  /** The number of steps until the power cut. */
  stepsLeft = Infinity;
  /** The error that the next publish() throws, once; null: none. */
  diskError: FdsError | null = null;

  #step(): void {
    if (this.stepsLeft-- <= 0) throw new PowerCut();
  }

  readonly report: Report = async (event: DownloadEvent) => {
    this.#step();
    const { next } = transition(this.row, event);
    if ("savedPath" in next && this.held.has(next.savedPath!)) throw new NameTakenError();
    this.row = next;
    return next;
  };

  async publish(_: string, savedPath: string): Promise<boolean> {
    this.#step();
    if (this.diskError) {
      const error = this.diskError;
      this.diskError = null;
      throw error;
    }
    const there = this.files.get(savedPath);
    if (!this.part) return there !== undefined;
    if (there && there !== this.part) return false;
    this.files.set(savedPath, this.part);
    // The part has both its own and the final name now. The power can be cut between the link and the unlink.
    this.#step();
    this.part = null;
    return true;
  }

  async openFile(savedPath: string): Promise<StoredFile | null> {
    const bytes = this.files.get(savedPath);
    if (!bytes) return null;
    return { size: bytes.length, slice: (start, end) => new Blob([bytes.slice(start, end)]) };
  }

  async openPart(): Promise<Part> {
    const bytes = (this.part ??= new Uint8Array());
    const unused = () => Promise.reject(new Error("publishing only reads"));
    return {
      size: bytes.length,
      maxUnflushed: Infinity,
      read: async (offset, length) => bytes.subarray(offset, offset + length),
      close: async () => undefined,
      sync: async () => undefined,
      checkpoint: unused,
      truncate: unused,
      write: unused,
    };
  }

  async removePart(): Promise<void> {
    this.#step();
    this.part = null;
  }

  publishing(report: Report): FilePublishing {
    const storage = {
      openPart: () => this.openPart(),
      publish: (id: string, path: string) => this.publish(id, path),
      openFile: (path: string) => this.openFile(path),
    };
    return { storage, report, isOurs: async () => true };
  }

  /** Publishes as the server does, or finishes a publishing as its next start does, depending on the row. */
  async run(): Promise<void> {
    if (this.row.status === "downloading") {
      await publish(this.row, VERDICT, this.publishing(this.report));
    } else if (this.row.status === "verifying") {
      await finishPublishing(this.row, this.publishing(this.report));
    }
  }

  expectPublishedOnce(): void {
    expect(this.row.status).toBe("completed");
    const ours = [...this.files].filter(([, bytes]) => bytes === BYTES).map(([path]) => path);
    expect(ours).toEqual([(this.row as typeof states.completed).savedPath!]);
    expect(this.part).toBeNull();
  }
}

async function runUntilPowerCut(world: World, steps: number): Promise<boolean> {
  world.stepsLeft = steps;
  try {
    await world.run();
    return false;
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
    return true;
  } finally {
    world.stepsLeft = Infinity;
  }
}

describe("publishing", () => {
  test("gives one file, under a name of the download's own", async () => {
    const world = new World();
    await world.run();
    world.expectPublishedOnce();
    expect(world.row).toMatchObject({
      digest: MD5,
      savedPath: expect.stringMatching(/^restaurant-001\/\d{8}_\d{6}_file_to_download\.txt$/),
    });
  });

  test.each([0, 1, 2, 3])(
    "is completed after a power cut at step %d, by the next start",
    async (steps) => {
      const world = new World();
      expect(await runUntilPowerCut(world, steps)).toBe(true);
      expect(world.row.status).toBe(steps === 0 ? "downloading" : "verifying");
      await world.run();
      world.expectPublishedOnce();
    },
  );

  test("is completed after any two power cuts, one in the repair of the other", async () => {
    for (let first = 0; first <= 4; first++) {
      for (let second = 0; second <= 6; second++) {
        const world = new World();
        await runUntilPowerCut(world, first);
        await runUntilPowerCut(world, second);
        await world.run();
        world.expectPublishedOnce();
      }
    }
  });
});

describe("a name that is taken", () => {
  test("on the disk is never overwritten: the next one is tried", async () => {
    const world = new World();
    const report: Report = async (event) => {
      // Another program takes the name just before the download does, twice.
      if ("savedPath" in event && world.files.size < 2) world.files.set(event.savedPath, OTHERS);
      return world.report(event);
    };
    await publish(states.downloading, VERDICT, world.publishing(report));
    world.expectPublishedOnce();
    expect((world.row as typeof states.completed).savedPath).toEndWith("_file_to_download-3.txt");
    expect([...world.files.values()].filter((bytes) => bytes === OTHERS)).toHaveLength(2);
  });

  test("by another download's row gives -2", async () => {
    const world = new World();
    const first = Promise.withResolvers<string>();
    const report: Report = async (event) => {
      if (event.type === "received" && world.held.size === 0) {
        world.held.add(event.savedPath);
        first.resolve(event.savedPath);
      }
      return world.report(event);
    };
    await publish(states.downloading, VERDICT, world.publishing(report));
    world.expectPublishedOnce();
    expect((world.row as typeof states.completed).savedPath).toBe(
      (await first.promise).replace(/\.txt$/, "-2.txt"),
    );
  });

  test("while a publishing is repaired, by another file of the same length", async () => {
    const world = new World();
    await runUntilPowerCut(world, 1);
    const { savedPath } = world.row as typeof states.verifying;
    world.files.set(
      savedPath,
      BYTES.map((byte) => byte ^ 1),
    );
    await world.run();
    world.expectPublishedOnce();
    expect(world.files.get(savedPath)).not.toBe(BYTES);
  });
});

describe("what lies on the disk is not trusted", () => {
  async function failureOf(world: World): Promise<unknown> {
    return world.run().then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  test.each<[string, Uint8Array | null]>([
    ["lost its bytes", null],
    ["is shorter", BYTES.subarray(1)],
    ["has another byte", BYTES.map((byte, at) => (at === 5 ? 0 : byte))],
  ])("a part that %s is not published", async (_, part) => {
    const world = new World();
    await runUntilPowerCut(world, 1);
    world.part = part;
    expect(await failureOf(world)).toMatchObject({ code: "checksum_mismatch" });
    expect(world.files.size).toBe(0);
    expect(world.row.status).toBe("verifying");
  });

  test("an error of the disk is told, and the next try goes on", async () => {
    const world = new World();
    world.diskError = new FdsError("storage_full", "cannot publish the file: ENOSPC");
    expect(await failureOf(world)).toMatchObject({ code: "storage_full" });
    expect(world.files.size).toBe(0);
    await world.run();
    world.expectPublishedOnce();
  });
});

test("a download that was changed meanwhile is left alone", async () => {
  const world = new World();
  const report: Report = async () => states.cancelled;
  expect(await publish(states.downloading, VERDICT, world.publishing(report))).toBe(
    states.cancelled,
  );
  expect(world.files.size).toBe(0);
  expect(world.part).toBe(BYTES);
});
