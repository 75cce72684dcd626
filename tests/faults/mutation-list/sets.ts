import type { Mutation } from "./mutation.ts";
import {
  DISK_PUBLISH,
  FILE_SENDER,
  LYING_SETS,
  LYING_SET_FILES,
  LYING_SET_SERVER,
  PACKED_BLOCKS,
  READ_AHEAD,
  RETENTION,
  SET_CHECKPOINTS,
  SET_DISK,
  SET_NAMES,
  SET_POWER,
  SET_RECEIVER,
  SET_RECEIVER_STALLS,
  WALK_CHANGES,
} from "./tests.ts";

/** Mutations of sets, at the client and at the server. */
export const SETS: readonly Mutation[] = [
  {
    name: "left-out-file-published",
    breaks: "A: a published set has no bytes of a file that was left out",
    file: "lib/server/transfer/set-checkpoints.ts",
    find: `for (const place of leftOut) await folder.removeFile(place);`,
    replace: ``,
    caughtBy: { [SET_CHECKPOINTS]: "a file that is left out is removed before the flush" },
  },
  {
    name: "link-on-the-way-of-a-walk-followed",
    breaks: "F: a walk of a set leads nowhere that its root does not",
    file: "lib/client/sets/open-folder.ts",
    find: `O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;`,
    replace: `O_RDONLY | constants.O_DIRECTORY;`,
    caughtBy: { [WALK_CHANGES]: "a folder that is swapped for a link leads nowhere" },
  },
  {
    name: "broken-folder-fails-its-set",
    breaks: "F: what cannot be read of a set has a row, and the rest comes",
    file: "lib/client/sets/walk.ts",
    find: `const skipped = skipReasonOf(error, name);
      if (skipped) yield`,
    replace: `const skipped = null;
      if (skipped) yield`,
    caughtBy: { [WALK_CHANGES]: "a folder whose names cannot be read has a row" },
  },
  {
    name: "rules-not-asked-of-a-wanted-file",
    breaks: "F: the owner's rules decide about every file of a set",
    file: "lib/client/sets/set-files.ts",
    find: `      if (!this.pathCheck.permits(join(real, path))) throw new Refusal("denied");
`,
    replace: ``,
    caughtBy: { [LYING_SET_SERVER]: "does not come, and says why" },
  },
  {
    name: "any-file-in-a-manifest",
    breaks: "A: a client lists what it was asked for, and nothing else",
    file: "lib/server/transfer/manifest-reader.ts",
    find: `if (!isAsked || exclude.step(name).matched) {`,
    replace: `if (false) {`,
    caughtBy: { [LYING_SETS]: "of what was not asked for" },
  },
  {
    name: "line-of-a-manifest-without-end",
    breaks: "E: memory is bounded, whatever a client lists",
    file: "lib/server/transfer/manifest-reader.ts",
    find: `    if (this.#rest.length > MAX_LINE) throw protocolError("a line of a manifest has no end");
`,
    replace: ``,
    caughtBy: { [LYING_SETS]: "of a line that never ends is cut off" },
  },
  {
    name: "any-file-of-a-set-taken",
    breaks: "A: the file that was asked for is the one that comes",
    file: "lib/server/transfer/want-queue.ts",
    find: `if (file?.index !== index)`,
    replace: `if (!file)`,
    caughtBy: { [LYING_SET_FILES]: "that are not owed" },
  },
  {
    name: "digest-of-a-file-of-a-set-not-compared",
    breaks: "A: each file of a set is compared with its checksum",
    file: "lib/server/transfer/set-writer.ts",
    find: `stored === digest ? null : mismatch(stored, digest)`,
    replace: `null`,
    caughtBy: { [LYING_SET_FILES]: "are wanted again, and skipped in the end" },
  },
  {
    name: "rows-of-a-set-before-its-bytes",
    breaks: "B: first the bytes of a set's files, then their rows",
    file: "lib/server/transfer/set-checkpoints.ts",
    find: `    await folder.sync();
`,
    replace: ``,
    caughtBy: { [SET_POWER]: "the server is killed after each call of a set in turn" },
  },
  {
    name: "next-file-of-a-set-sent-for-any",
    breaks: "A: the bytes of a file are those of the file of its name",
    file: "lib/client/sets/file-sender.ts",
    find: `if (this.#next?.want === want) {`,
    replace: `if (this.#next) {`,
    caughtBy: { [FILE_SENDER]: "is sent for itself, not for another one" },
  },
  {
    name: "frame-around-a-block-without-what-is-before-it",
    breaks: "A: a frame holds all its records",
    file: "lib/client/sets/frame-builder.ts",
    find: `    frame.set(earlierRecords);
`,
    replace: ``,
    caughtBy: { [FILE_SENDER]: "frames of all sizes bring files of all sizes" },
  },
  {
    name: "block-read-ahead-sent-for-any",
    breaks: "A: a block that was read ahead is used where it belongs, and nowhere else",
    file: "lib/client/sets/read-ahead.ts",
    find: `if (this.#pendingRead?.fd !== position.fd || this.#pendingRead.offset !== position.offset) {`,
    replace: `if (!this.#pendingRead) {`,
    caughtBy: { [READ_AHEAD]: "another block than the one that was read ahead is the wanted one" },
  },
  {
    name: "block-in-use-overwritten",
    breaks: "A: the bytes that are hashed and sent stay as they were read",
    file: "lib/client/sets/read-ahead.ts",
    find: `[new Uint8Array(0), new Uint8Array(0)]`,
    replace: `[new Uint8Array(0)]`,
    caughtBy: { [READ_AHEAD]: "a block stays as it is while the one after it is read" },
  },
  {
    name: "block-of-a-closed-file-kept",
    breaks: "A: nothing of a file comes for another one",
    file: "lib/client/sets/read-ahead.ts",
    find: `if (this.#pendingRead?.fd === fd) await this.#dropPendingRead();`,
    replace: ``,
    caughtBy: { [READ_AHEAD]: "nothing of a file that was left comes for another one" },
  },
  {
    name: "another-part-of-a-manifest-again",
    breaks: "A: what is sent again of a manifest is what was sent before",
    file: "lib/client/sets/packed-blocks.ts",
    find: `this.#unpacked = { start: block.start, bytes:`,
    replace: `this.#unpacked = { start: offset, bytes:`,
    caughtBy: { [PACKED_BLOCKS]: "any part of what was added comes back" },
  },
  {
    name: "path-twice-in-a-manifest",
    breaks: "A: each file of a set has one row and one place",
    file: "lib/server/storage/set-names.ts",
    find: `    else folder.listedNames.add(file);
`,
    replace: ``,
    caughtBy: { [SET_NAMES]: "are known again, whatever their names" },
  },
  {
    name: "small-file-large-in-memory",
    breaks: "E: memory is bounded, whatever a file says of its size later",
    file: "lib/server/transfer/set-writer.ts",
    find: `    if (large || size <= MAX_SMALL_SIZE) return;
`,
    replace: `    return;
`,
    caughtBy: { [SET_RECEIVER]: "was a small one, and is large behind a damaged frame" },
  },
  {
    name: "growth-behind-a-damaged-frame-free",
    breaks: "quotas hold for what a file grows by, whenever it says so",
    file: "lib/server/transfer/set-writer.ts",
    find: `    await this.options.admit(size - file.size);
    file.size = before.size = size;`,
    replace: `    before.size = size;`,
    caughtBy: { [SET_RECEIVER]: "where it says so only behind a damaged frame" },
  },
  {
    name: "set-unflushed-without-bound",
    breaks: "a crash costs no more of a set than was said",
    file: "lib/server/transfer/set-receiver.ts",
    find: `maxUnflushed: storage.sets.maxUnflushed,`,
    replace: `maxUnflushed: Infinity,`,
    caughtBy: { [SET_RECEIVER]: "no more comes than may be lost" },
  },
  {
    name: "row-safe-beyond-its-flush",
    breaks: "B: a checkpoint says of the unfinished file what was there before its flush",
    file: "lib/server/transfer/set-checkpoints.ts",
    find: `await onDurable(snapshot);`,
    replace: `await onDurable(takeSnapshot());`,
    caughtBy: { [SET_CHECKPOINTS]: "is as safe as it was before the flush, and no more" },
  },
  {
    name: "closing-of-a-file-of-a-set-not-awaited",
    breaks: "B: a flush of a set fails where the closing of a file did",
    file: "lib/server/storage/disk-set-folder.ts",
    find: `      await Promise.all(closing);
`,
    replace: ``,
    caughtBy: { [DISK_PUBLISH]: "a file of a set that cannot be closed fails its flush" },
  },
  {
    name: "garbage-of-a-set-piles-up",
    breaks: "E: memory is bounded, however many files a set has",
    file: "lib/util/garbage.ts",
    find: `    this.collect();
`,
    replace: ``,
    caughtBy: { "tests/util/garbage.test.ts": "is collected each time that so many objects" },
  },
  {
    name: "folder-replaced-by-a-set",
    breaks: "A: a folder that is there is never replaced",
    file: "lib/server/storage/disk-sets.ts",
    find: `  if (isTaken) return false;
`,
    replace: ``,
    caughtBy: { [DISK_PUBLISH]: "never replaces a folder that is there, empty or not" },
  },
  {
    name: "sums-of-a-set-left-behind",
    breaks: "E: no part is left by a set, after a loss of power either",
    file: "lib/server/storage/disk-sets.ts",
    find: `[...(await this.#folders.list()), ...(await this.#sums.list())]`,
    replace: `await this.#folders.list()`,
    caughtBy: {
      [DISK_PUBLISH]: "lists what was left of them",
      [SET_POWER]: "the server is killed after each call of a set in turn",
    },
  },
  {
    name: "safe-after-a-failed-flush-of-a-set",
    breaks: "B: after a flush that failed, nothing more of a set is called safe",
    file: "lib/server/transfer/set-checkpoints.ts",
    find: `      this.#hasFailed = true;
`,
    replace: ``,
    caughtBy: {
      [SET_CHECKPOINTS]: "is not safe after a flush that failed, whatever a later flush says",
    },
  },
  {
    name: "place-of-a-set-not-given-back",
    breaks: "A: a set whose publishing fails is published as a whole later, or not at all",
    file: "lib/server/storage/disk-sets.ts",
    find: `        await rename(final, set).catch(() => undefined);
`,
    replace: ``,
    caughtBy: { [SET_DISK]: "row 24: EIO at the flush of the checksums" },
  },
  {
    name: "files-of-a-set-taken-on-trust",
    breaks: "A: what is gone of a set from the disk comes again before it is published",
    file: "lib/server/transfer/want-missing.ts",
    find: `folder.sizeOf(place) !== size`,
    replace: `size < 0`,
    caughtBy: { [SET_DISK]: "files that came are deleted" },
  },
  {
    name: "walk-without-end",
    breaks: "C: a walk that names no file comes to an end",
    file: "lib/server/transfer/incoming-manifest.ts",
    find: `performance.now() - this.#lastBytesAt > SILENT_WALK_MS`,
    replace: `false`,
    caughtBy: { [SET_RECEIVER_STALLS]: "is given up after 15 minutes" },
  },
  {
    name: "mark-of-a-set-removed-last",
    breaks: "A: a set that has its mark is whole, also while it is removed",
    file: "lib/server/storage/disk-sets.ts",
    find: `        await unlinkIfThere(sums);
        await syncFolder(dirname(final));
        // One rename moves the set away, so that nobody ever sees an incomplete set under its published name.
        await renameIfThere(final, removed);`,
    replace: `        await renameIfThere(final, removed);
        await unlinkIfThere(sums);`,
    caughtBy: { [RETENTION]: "the server is killed after each call in turn" },
  },
];
