import type { Mutation } from "./mutation.ts";
import {
  DISK_PUBLISH,
  DOWNLOADS_STOP,
  DURABLE,
  FULL_DISK,
  MODEL,
  PART,
  PART_FILE,
  POWER,
  PUBLISH,
  RECEIVER,
  RETENTION,
  ROW_6,
  SHARED,
  SHARED_SYNC,
  THE_MODEL,
} from "./tests.ts";

/** Mutations of how the server stores files: parts, final names, and safety at a power cut. */
export const FILES: readonly Mutation[] = [
  {
    name: "no-folder-flush",
    breaks: "A, B: a name outlives a loss of power once its folder is flushed",
    file: "lib/util/durable.ts",
    find: `    await flush(folder);`,
    replace: ``,
    caughtBy: { [DURABLE]: "a folder is flushed for real", [POWER]: ROW_6 },
  },
  {
    name: "no-folder-flush-before-unlink",
    breaks: "A: at no moment may a loss of power take both names of a file",
    file: "lib/server/storage/disk.ts",
    find: `        await this.#shared.flush(folder);
        await this.#removeParts(downloadId, part);`,
    replace: `        await this.#removeParts(downloadId, part);`,
    caughtBy: { [DISK_PUBLISH]: "by a folder that cannot be flushed", [POWER]: ROW_6 },
  },
  {
    name: "no-folder-flush-of-parts",
    breaks: "B: the part of a safe offset is there after a loss of power",
    file: "lib/server/storage/part.ts",
    find: `        await this.nameFlushed;
`,
    replace: ``,
    caughtBy: {
      [DISK_PUBLISH]: "a part whose name may not outlive a loss of power is not called safe",
    },
  },
  {
    name: "flush-of-another-moment",
    breaks: "A, B: who shares a flush of a folder has one that began after the name was there",
    file: "lib/util/shared-sync.ts",
    find: `if (!running) return this.#run(path);`,
    replace: `return running ?? this.#run(path);`,
    caughtBy: { [SHARED_SYNC]: "those who come while a flush runs share the next one" },
  },
  {
    name: "safe-before-flushed",
    breaks: "B: first the bytes, then the row",
    file: "lib/server/transfer/part-writer.ts",
    find: `    const durableOffset = await this.#flush(written);
    if (durableOffset === this.#durable) return;
    await this.options.onDurable(durableOffset);`,
    replace: `    const durableOffset = written;
    await this.options.onDurable(durableOffset);
    await this.#flush(written);`,
    caughtBy: { [RECEIVER]: "is told within 250 ms, and not before it is flushed" },
  },
  {
    name: "safe-without-flush",
    breaks: "B: what is safe is on the disk",
    file: "lib/server/transfer/part-writer.ts",
    find: `    const durableOffset = await this.#flush(written);
    if (durableOffset === this.#durable) return;
    await this.options.onDurable(durableOffset);`,
    replace: `    const durableOffset = written;
    await this.options.onDurable(durableOffset);`,
    caughtBy: {
      [RECEIVER]: "is told within 250 ms, and not before it is flushed",
      [MODEL]: THE_MODEL,
    },
  },
  {
    name: "safe-before-written",
    breaks: "B: what is counted as written is in the part",
    file: "lib/server/transfer/part-writer.ts",
    find: `      await Promise.all([writing, hashing]);
      release(chunk);
      this.#written += length;`,
    replace: `      this.#written += length;
      await Promise.all([writing, hashing]);
      release(chunk);`,
    caughtBy: { [RECEIVER]: "is nothing that the disk has not taken yet", [MODEL]: THE_MODEL },
  },
  {
    name: "checksum-of-the-part-not-compared",
    breaks: "A: a publishing that was cut short trusts nothing that lies on the disk",
    file: "lib/server/downloads/publish.ts",
    find: `    if (stored !== digest) {`,
    replace: `    if (false) {`,
    caughtBy: {
      [PUBLISH]: "is not published",
      [PART_FILE]: "row 27: a bit of the part file flipped when it is about to be published",
    },
  },
  {
    name: "write-error-swallowed-by-the-part",
    breaks: "A, F: an error of the disk is told",
    file: "lib/server/storage/part.ts",
    find: "const { bytesWritten } = await this.file.write(bytes, done, remaining, offset + done);",
    replace: `const { bytesWritten } = await this.file
          .write(bytes, done, remaining, offset + done)
          .catch(() => ({ bytesWritten: remaining }));`,
    caughtBy: { [PART]: "with the cause and without a path", [FULL_DISK]: "row 21: under way" },
  },
  {
    name: "write-error-swallowed-by-the-writer",
    breaks: "C, F: an error of the disk ends the attempt",
    file: "lib/server/transfer/part-writer.ts",
    find: `    this.#stopped = true;
    this.options.onError(error);`,
    replace: `    this.#stopped = true;`,
    caughtBy: { [MODEL]: THE_MODEL, [FULL_DISK]: "row 21: under way" },
  },
  {
    name: "part-left-open",
    breaks: "E: no descriptor is left by an attempt that ended",
    file: "lib/server/transfer/part-writer.ts",
    find: `    } finally {
      await this.options.part.close();
    }`,
    replace: `    } finally {
    }`,
    caughtBy: {
      [RECEIVER]: "is all that arrived, when the connection is lost",
      [MODEL]: THE_MODEL,
    },
  },
  {
    name: "part-left-behind",
    breaks: "E: no part is left by a download that failed or was cancelled",
    file: "lib/server/downloads/attempts.ts",
    find: `      if (attempt.mustDiscard || isUnwanted) await this.#remove(download);
`,
    replace: ``,
    caughtBy: {
      [DOWNLOADS_STOP]: "removes the part once nothing writes to it any more",
      [MODEL]: THE_MODEL,
    },
  },
  {
    name: "full-disk-told-as-broken",
    breaks: "F: a full disk is told as one, and waited for",
    file: "lib/server/storage/part.ts",
    find: `FULL.has(errno) ? "storage_full" : "storage_error"`,
    replace: `"storage_error"`,
    caughtBy: { [PART]: "with the cause and without a path", [FULL_DISK]: "row 21: under way" },
  },
  {
    name: "short-write-taken-for-whole",
    breaks: "A: a write that took a part of the bytes goes on with the rest",
    file: "lib/server/storage/part.ts",
    find: `done += bytesWritten;`,
    replace: `done = bytes.length;`,
    caughtBy: {
      [PART]: "short writes and short reads go on",
      [FULL_DISK]: "row 23: short writes, all the time",
    },
  },
  {
    name: "flushed-again-after-a-failure",
    breaks: "A, B: a flush that failed is not tried again, the kernel may say yes to it",
    file: "lib/server/storage/part.ts",
    find: `await this.file.datasync();`,
    replace: `await this.file.datasync().catch(() => this.file.datasync());`,
    caughtBy: {
      [PART]: "after a flush that failed, nothing but closing is left",
    },
  },
  {
    name: "used-again-after-a-failed-flush",
    breaks: "A, B: a part whose flush failed takes nothing more",
    file: "lib/server/storage/part.ts",
    find: `        this.hasFlushFailed = true;
`,
    replace: ``,
    caughtBy: {
      [PART]: "after a flush that failed, nothing but closing is left",
    },
  },
  {
    name: "bytes-gone-before-they-are",
    breaks: "E: what was begun to be removed is finished after a crash",
    file: "lib/server/retention/removal.ts",
    find: `    if (savedPath !== null) {`,
    replace: `    await repository.keep.bytesGone(downloadId);
    if (savedPath !== null) {`,
    caughtBy: { [RETENTION]: "the server is killed after each call in turn" },
  },
  {
    name: "a-part-that-two-servers-write",
    breaks: "A: a server that lost a download writes nothing that counts",
    file: "lib/server/storage/disk.ts",
    find: `if (isWhole || this.#partNames.hasNoWriter(downloadId, former.epoch))`,
    replace: `if (former.epoch >= 0)`,
    caughtBy: { [SHARED]: "a part is gone on with, and who had it changes nothing any more" },
  },
];
