/** The product broken on purpose in one place, and the tests that must notice. */
export interface Mutation {
  name: string;
  /** What no longer holds: DESIGN's invariant, or the rule that serves it. */
  breaks: string;
  /** From the top of the tree. */
  file: string;
  /** Must be there exactly once, so that the list cannot outlive what it is about. */
  find: string;
  replace: string;
  /** Test files, with what stands in the name of the tests in each that must fail. */
  caughtBy: Record<string, string>;
}

const SHARED_SYNC = "tests/util/shared-sync.test.ts";
const DURABLE = "tests/util/durable.test.ts";
const LOG = "tests/server/database/write-ahead-log.test.ts";
const POSTGRES_CUTS = "tests/server/database/postgres-cuts.test.ts";
const POWER = "tests/faults/power-loss.test.ts";
const PART = "tests/server/storage/part.test.ts";
const RECEIVER = "tests/server/transfer/file-receiver.test.ts";
const SET_RECEIVER = "tests/server/transfer/set-receiver.test.ts";
const CREDIT = "tests/server/transfer/flow-control.test.ts";
const MODEL = "tests/model/downloads.test.ts";
const LYING_FRAMES = "tests/faults/lying-frames.test.ts";
const LYING_MESSAGES = "tests/faults/lying-messages.test.ts";
const LYING_SOURCE = "tests/faults/lying-source.test.ts";
const LYING_SERVER = "tests/faults/lying-server.test.ts";
const SOURCE = "tests/e2e/source.test.ts";
const STATES = "tests/server/download.test.ts";
const RESUME = "tests/client/resume.test.ts";
const PART_FILE = "tests/faults/part-file.test.ts";
const PUBLISH = "tests/server/downloads/publish.test.ts";
const FULL_DISK = "tests/faults/full-disk.test.ts";
const SLOW_DISK = "tests/faults/slow-disk.test.ts";
const SENDER = "tests/client/sender.test.ts";
const REST = "tests/e2e/rest.test.ts";
const WAITING_ROOM = "tests/server/http/waiting-room.test.ts";
const UNREGISTERED = "tests/faults/unregistered.test.ts";
const FILE_SENDER = "tests/client/sets/file-sender.test.ts";
const READ_AHEAD = "tests/client/sets/read-ahead.test.ts";
const PACKED_BLOCKS = "tests/client/sets/packed-blocks.test.ts";
const SET_NAMES = "tests/server/storage/set-names.test.ts";
const SET_CHECKPOINTS = "tests/server/transfer/set-checkpoints.test.ts";
const LYING_SETS = "tests/faults/lying-sets.test.ts";
const LYING_SET_SERVER = "tests/faults/lying-set-server.test.ts";
const SET_POWER = "tests/faults/set-power-loss.test.ts";
const SET_DISK = "tests/faults/set-disk.test.ts";
const RETENTION = "tests/faults/retention.test.ts";
const CLIENT_DOCTOR = "tests/e2e/client-doctor.test.ts";
const RULES = "tests/client/owner-rules/rules.test.ts";
const SHARED = "tests/server/storage/shared-storage.test.ts";
const SERVERS = "tests/server/database/servers.test.ts";
const TELLER = "tests/server/webhooks/sender.test.ts";
const ADDRESSES = "tests/server/webhooks/addresses.test.ts";
const DISK_PUBLISH = "tests/server/storage/disk-publish.test.ts";
const DISPATCHER_TIMES = "tests/server/downloads/dispatcher-times.test.ts";
const FLOW_CONTROL_SHARING = "tests/server/transfer/flow-control-sharing.test.ts";
const DOWNLOADS_STOP = "tests/server/downloads/downloads-stop.test.ts";
const WALK_CHANGES = "tests/client/sets/walk-changes.test.ts";
const FILE_RECEIVER_STALLS = "tests/server/transfer/file-receiver-stalls.test.ts";
const SET_RECEIVER_STALLS = "tests/server/transfer/set-receiver-stalls.test.ts";
const SESSION_TIME = "tests/server/clients/session-time.test.ts";

const ROW_6 = "row 6: after each fsync, link and unlink in turn";
const THE_MODEL = "downloads do what the model says";

export const MUTATIONS: readonly Mutation[] = [
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
    find: `        await this.named;
`,
    replace: ``,
    caughtBy: {
      [DISK_PUBLISH]: "a part whose name may not outlive a loss of power is not called safe",
    },
  },
  {
    name: "log-flushed-again-after-a-failure",
    breaks: "A, B: a log that could not be flushed is not taken for safe by the next flush",
    file: "lib/server/database/write-ahead-log.ts",
    find: `if (this.#inDoubt) this.empty();
      else `,
    replace: ``,
    caughtBy: { [LOG]: "gets to the database itself" },
  },
  {
    name: "row-not-flushed",
    breaks: "A, C: what a row says of a name outlives a loss of power before the name is taken",
    file: "lib/server/database/sql.ts",
    find: `if (row && !mayBeTakenBack(next, before)) await this.database.flush();`,
    replace: ``,
    caughtBy: { [POWER]: ROW_6 },
  },
  {
    name: "change-without-mark",
    breaks: "C, F: a change in Postgres whose answer was lost is made once",
    file: "lib/server/database/postgres-made-changes.ts",
    find: `if (!isAgain) return this.#make(text, values);`,
    replace: `return this.#make(text, values);`,
    caughtBy: { [POSTGRES_CUTS]: "does each change once" },
  },
  {
    name: "mark-forgotten-too-early",
    breaks: "C: a change in Postgres is made once, however late an earlier try of it arrives",
    file: "lib/server/database/postgres-made-changes.ts",
    find: `if (isAgain) this.#late.set(number, performance.now());`,
    replace: ``,
    caughtBy: { [POSTGRES_CUTS]: "makes no change again that arrives" },
  },
  {
    name: "connection-given-to-nobody",
    breaks: "C: who waits for a connection to Postgres gets one that is given back",
    file: "lib/server/database/postgres-pool.ts",
    find: `(await this.#openOne()) ?? this.#idle.pop();`,
    replace: `(await this.#openOne());`,
    caughtBy: { [POSTGRES_CUTS]: "makes do with the connections that it gives" },
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
    name: "any-epoch-of-a-frame",
    breaks: "A: what belongs to an older attempt is dropped",
    file: "lib/server/clients/streams.ts",
    find: `    if (stream?.epoch !== address.epoch) return undefined;
`,
    replace: ``,
    caughtBy: { [LYING_SOURCE]: "frames and messages of another epoch" },
  },
  {
    name: "any-epoch-of-an-event",
    breaks: "A, C: what an older attempt reports is void",
    file: "lib/server/transition.ts",
    find: `download.status === "queued" || event.epoch !== download.epoch`,
    replace: `download.status === "queued"`,
    caughtBy: { [STATES]: "of another attempt: no change" },
  },
  {
    name: "prefix-not-compared",
    breaks: "A: a client goes on only where its first bytes are those that the server has",
    file: "lib/client/resume.ts",
    find: 'hash.copy().digest("hex") !== resume[`prefix_${checksum}`]',
    replace: "false",
    caughtBy: {
      [RESUME]: "when a byte of the prefix differs",
      [LYING_SERVER]: "an offer to resume that is a lie",
    },
  },
  {
    name: "any-offset-of-a-client",
    breaks: "A: a client goes on where the server's proof ends, or at the first byte",
    file: "lib/server/transfer/file-request.ts",
    find: `offset > 0 && offset !== offered`,
    replace: `false`,
    caughtBy: { [LYING_MESSAGES]: "an offset of its own" },
  },
  {
    name: "short-part-trusted",
    breaks: "A, C: a part that is shorter than recorded proves nothing",
    file: "lib/server/transfer/file-receiver.ts",
    find: `const isShort = part.size < durableOffset;`,
    replace: `const isShort = false;`,
    caughtBy: { [PART_FILE]: "row 28: the part file shortened at rest" },
  },
  {
    name: "name-before-checksum",
    breaks: "A: a file gets its name after its checksum was compared",
    file: "lib/server/transfer/file-receiver.ts",
    find: `    if (flaw) return this.fail(flaw.problem, flaw.final);
`,
    replace: ``,
    caughtBy: { [LYING_SOURCE]: "in its MD5 is read again from the start" },
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
    find: "const { bytesWritten } = await this.file.write(bytes, done, left, offset + done);",
    replace: `const { bytesWritten } = await this.file
          .write(bytes, done, left, offset + done)
          .catch(() => ({ bytesWritten: left }));`,
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
    name: "due-by-now",
    breaks: "C: a download that becomes due while the queue is read is started",
    file: "lib/server/downloads/dispatcher.ts",
    find: `repository.nextDueAt(now)`,
    replace: `repository.nextDueAt(Date.now())`,
    caughtBy: { [DISPATCHER_TIMES]: "is not missed where it comes while the queue is being read" },
  },
  {
    name: "budget-without-end",
    breaks: "E: memory is bounded by RECEIVE_BUDGET",
    file: "lib/server/transfer/flow-control.ts",
    find: `const granted = room < least ? 0 : Math.min(wanted, room);`,
    replace: `const granted = Math.max(wanted, Math.min(room, least));`,
    caughtBy: {
      [FLOW_CONTROL_SHARING]: "every file comes to its end within the budget",
      [MODEL]: THE_MODEL,
    },
  },
  {
    name: "window-without-end",
    breaks: "D, E: what is under way is bounded by the window",
    file: "lib/server/transfer/flow-control.ts",
    find: `const limit = Math.min(this.#written, this.#durable + this.options.maxUnflushed) + window;`,
    replace: `const limit = Number.MAX_SAFE_INTEGER;`,
    caughtBy: { [CREDIT]: "a file that is longer than the window" },
  },
  {
    name: "credit-exceeded",
    breaks: "E: a client that sends more than it was granted is cut off",
    file: "lib/server/transfer/incoming-bytes.ts",
    find: `if (end > maxOffset) throw`,
    replace: `if (false) throw`,
    caughtBy: { [LYING_FRAMES]: "a frame beyond its credit" },
  },
  {
    name: "credit-for-what-arrived",
    breaks: "E: a client gets new credit for what was written, not for what arrived",
    file: "lib/server/transfer/incoming-bytes.ts",
    find: `onBytes: (bytes) => this.#writer.push(bytes),`,
    replace: `onBytes: (bytes) => {
        this.#flow?.wrote(bytes.length);
        this.#writer.push(bytes);
      },`,
    caughtBy: { [MODEL]: THE_MODEL, [SLOW_DISK]: "row 19: a slow disk at the server" },
  },
  {
    name: "slow-flush-not-waited-for",
    breaks: "D: what is written and not flushed is bounded",
    file: "lib/server/transfer/flow-control.ts",
    find: `Math.min(this.#written, this.#durable + this.options.maxUnflushed)`,
    replace: `this.#written`,
    caughtBy: { [CREDIT]: "goes on ahead of what is flushed" },
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
    find: `      if (attempt.discard || isUnwanted) await this.#remove(download);
`,
    replace: ``,
    caughtBy: {
      [DOWNLOADS_STOP]: "removes the part once nothing writes to it any more",
      [MODEL]: THE_MODEL,
    },
  },
  {
    name: "source-left-open",
    breaks: "E: a client keeps no file open",
    file: "lib/client/sender.ts",
    find: `        await file.close();
`,
    replace: ``,
    caughtBy: { [SENDER]: "the file is closed when it" },
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
    name: "cause-of-a-client-lost",
    breaks: "F: what a site could not do is told as it was",
    file: "lib/client/client-error.ts",
    find: `(known) => error instanceof FdsError && error.code === known,`,
    replace: `(known) => known === "file_unreadable",`,
    caughtBy: {
      [REST]: "a failed record tells why",
      [SOURCE]: "deleted: it says that there is no such file",
    },
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
    find: `        this.givenUp = true;
`,
    replace: ``,
    caughtBy: {
      [PART]: "after a flush that failed, nothing but closing is left",
    },
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
    find: `const skipped = reasonOf(error, name);
      if (skipped) yield`,
    replace: `const skipped = null;
      if (skipped) yield`,
    caughtBy: { [WALK_CHANGES]: "a folder whose names cannot be read has a row" },
  },
  {
    name: "rules-not-asked-of-a-wanted-file",
    breaks: "F: the owner's rules decide about every file of a set",
    file: "lib/client/sets/set-files.ts",
    find: `      if (!this.lookup.permits(join(real, path))) throw new Refusal("denied");
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
    find: `    if (this.#rest.length > MAX_LINE) throw broken("a line of a manifest has no end");
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
    caughtBy: { [LYING_SETS]: "that are not owed" },
  },
  {
    name: "digest-of-a-file-of-a-set-not-compared",
    breaks: "A: each file of a set is compared with its checksum",
    file: "lib/server/transfer/set-writer.ts",
    find: `stored === digest ? null : mismatch(stored, digest)`,
    replace: `null`,
    caughtBy: { [LYING_SETS]: "are wanted again, and skipped in the end" },
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
    name: "block-read-ahead-sent-for-any",
    breaks: "A: a block that was read ahead is used where it belongs, and nowhere else",
    file: "lib/client/sets/read-ahead.ts",
    find: `if (this.#ahead?.fd !== place.fd || this.#ahead.offset !== place.offset) {`,
    replace: `if (!this.#ahead) {`,
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
    find: `if (this.#ahead?.fd === fd) await this.#dropAhead();`,
    replace: ``,
    caughtBy: { [READ_AHEAD]: "nothing of a file that was left comes for another one" },
  },
  {
    name: "another-part-of-a-manifest-again",
    breaks: "A: what is sent again of a manifest is what was sent before",
    file: "lib/client/sets/packed-blocks.ts",
    find: `this.#open = { start: block.start, bytes:`,
    replace: `this.#open = { start: offset, bytes:`,
    caughtBy: { [PACKED_BLOCKS]: "any part of what was added comes back" },
  },
  {
    name: "path-twice-in-a-manifest",
    breaks: "A: each file of a set has one row and one place",
    file: "lib/server/storage/set-names.ts",
    find: `    else folder.others.add(file);
`,
    replace: ``,
    caughtBy: { [SET_NAMES]: "are known again, whatever their names" },
  },
  {
    name: "small-file-large-in-memory",
    breaks: "E: memory is bounded, whatever a file says of its size later",
    file: "lib/server/transfer/set-writer.ts",
    find: `    if (large || size <= SMALL) return;
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
    find: `maxUnflushed: storage.sets.maxUnsafe,`,
    replace: `maxUnflushed: Infinity,`,
    caughtBy: { [SET_RECEIVER]: "no more comes than may be lost" },
  },
  {
    name: "row-safe-beyond-its-flush",
    breaks: "B: a checkpoint says of the unfinished file what was there before its flush",
    file: "lib/server/transfer/set-checkpoints.ts",
    find: `await onDurable(now);`,
    replace: `await onDurable(moment());`,
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
    name: "strangers-read-all-at-once",
    breaks: "E: who has not registered holds next to nothing",
    file: "lib/server/http/waiting-room.ts",
    find: `  enter(guest: G, address: string): void {
    guest.pause();`,
    replace: `  enter(guest: G, address: string): void {`,
    caughtBy: {
      [WAITING_ROOM]: "waits for its turn where as many are read as may be",
      [UNREGISTERED]: "are not kept in memory",
    },
  },
  {
    name: "dropped-frames-are-life",
    breaks: "C: a client that brings nothing on is given up",
    file: "lib/server/transfer/incoming-bytes.ts",
    find: `const progress = Math.max(0, this.arrived - this.#reached);`,
    replace: `const progress = frame.rawLength;`,
    caughtBy: { [FILE_RECEIVER_STALLS]: "with frames behind the one that is wanted again" },
  },
  {
    name: "reading-again-without-end",
    breaks: "C: reading again brings a client on only as far as the server has the bytes",
    file: "lib/server/transfer/stall-watch.ts",
    find: `if (offset > has) return;`,
    replace: ``,
    caughtBy: { [SET_RECEIVER_STALLS]: "is no answer where nothing of it is here" },
  },
  {
    name: "walk-without-end",
    breaks: "C: a walk that names no file comes to an end",
    file: "lib/server/transfer/incoming-manifest.ts",
    find: `performance.now() - this.#namedAt > SILENT_WALK_MS`,
    replace: `false`,
    caughtBy: { [SET_RECEIVER_STALLS]: "is given up after 15 minutes" },
  },
  {
    name: "any-answer-of-an-old-connection",
    breaks: "F: what a client left behind when its line broke is no second machine",
    file: "lib/server/clients/presence-check.ts",
    find: `if (this.#question?.nonce !== word) return;`,
    replace: `if (!this.#question) return;`,
    caughtBy: { [SESSION_TIME]: "it is what the client left behind, and ends" },
  },
  {
    name: "mark-of-a-set-removed-last",
    breaks: "A: a set that has its mark is whole, also while it is removed",
    file: "lib/server/storage/disk-sets.ts",
    find: `        await unlinkIfThere(sums);
        await syncFolder(dirname(final));
        // Renamed as a whole, as in publishing, so nobody ever sees part of a set under its name.
        await renameIfThere(final, removed);`,
    replace: `        await renameIfThere(final, removed);
        await unlinkIfThere(sums);`,
    caughtBy: { [RETENTION]: "the server is killed after each call in turn" },
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
    name: "question-takes-the-connection",
    breaks: "C: a client that runs stays connected while somebody asks whether it may register",
    file: "lib/server/clients/clients.ts",
    find: `const enrols = await this.#registrar.probe(message, session.remoteAddress);`,
    replace: `const enrols = (await this.#letIn(session, { ...message, type: "register" })) !== null;`,
    caughtBy: { [CLIENT_DOCTOR]: "of a client that is connected, which stays so" },
  },
  {
    name: "question-uses-up-the-key",
    breaks: "an enrolment key is good until somebody enrols with it",
    file: "lib/server/clients/registrar.ts",
    find: `    // Not counted as a new id, as none is made.`,
    replace: `    if (admission.uses) await this.options.enrolmentKeys.use(admission.uses);`,
    caughtBy: { [CLIENT_DOCTOR]: "of one with an enrolment key, which is not used up" },
  },
  {
    name: "names-that-windows-reads-otherwise",
    breaks: "nothing leaves a site but what its owner lets out",
    file: "lib/client/owner-rules/rules.ts",
    find: `    return !this.isWindows || paths`,
    replace: `    return true || paths`,
    caughtBy: { [RULES]: "stays: Windows takes it for something else" },
  },
  {
    name: "one-address-of-a-name-checked",
    breaks: "nothing private is reached: each address of a name may be what is connected to",
    file: "lib/server/webhooks/destinations.ts",
    find: `const refused = addresses.find((`,
    replace: `const refused = addresses.slice(0, 1).find((`,
    caughtBy: { [ADDRESSES]: "is refused, by name" },
  },
  {
    name: "messages-out-of-order",
    breaks: "what a webhook is told about one subject comes in order",
    file: "lib/server/database/outbox-sql.ts",
    find: `AND earlier.status = 'waiting' AND earlier.number < due.number)`,
    replace: `AND earlier.status = 'waiting' AND earlier.number < 0)`,
    caughtBy: { [TELLER]: "keeps the order of what is about one subject, over refusals" },
  },
  {
    name: "a-part-that-two-servers-write",
    breaks: "A: a server that lost a download writes nothing that counts",
    file: "lib/server/storage/disk.ts",
    find: `if (isWhole || this.#names.isAtRest(downloadId, former.epoch)) await`,
    replace: `if (former.epoch >= 0) await`,
    caughtBy: { [SHARED]: "a part is gone on with, and who had it changes nothing any more" },
  },
  {
    name: "a-claim-without-the-client",
    breaks: "a download has one owner at a time, the server that holds the client",
    file: "lib/server/database/queue-sql.ts",
    find: `      WHERE client_id = \${clientId} AND lease_id = \${owner} FOR SHARE)\`;`,
    replace: `      WHERE client_id = \${clientId} FOR SHARE)\`;`,
    caughtBy: {
      [SERVERS]: "claim only for clients that they hold, under a lease that is not over",
    },
  },
  {
    name: "a-set-written-by-who-lost-it",
    breaks: "the rows of a set say of a file that it is here only where it is",
    file: "lib/server/database/engines.ts",
    find: `      WHERE download_id = \${downloadId} AND epoch = \${epoch} FOR SHARE)\`,`,
    replace: `      WHERE download_id = \${downloadId} FOR SHARE)\`,`,
    caughtBy: { [SERVERS]: "write nothing of the files of a set that another one goes on with" },
  },
  {
    name: "a-publishing-under-its-old-number",
    breaks: "a publishing has one owner at a time",
    file: "lib/server/database/servers-sql.ts",
    find: `owner = \${this.#leaseId}, epoch = epoch + 1, revision`,
    replace: `owner = \${this.#leaseId}, revision`,
    caughtBy: { [SERVERS]: "take a publishing over once, and who began it records nothing more" },
  },
];

/**
 * The text of the mutated file.
 * @throws Error where what is to be replaced is not there exactly once
 */
export function mutate(text: string, { name, file, find, replace }: Mutation): string {
  const times = text.split(find).length - 1;
  if (times !== 1) {
    throw new Error(`"${name}": what it replaces is in "${file}" ${times} times, expected once`);
  }
  return text.replace(find, () => replace);
}
