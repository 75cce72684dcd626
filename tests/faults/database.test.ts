import { Database } from "bun:sqlite";
import { expect, setDefaultTimeout, test } from "bun:test";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { md5OfFile } from "../support/sources.ts";
import { pullHalf } from "./half.ts";
import { delivered, MiB, setStage, type Stage } from "./stage.ts";
import { spawn } from "../support/spawn.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Row 40 of the fault table: a locked or corrupt database when a server starts in the middle of a download.
 */

const PAGE = 4096;

/**
 * Kills the server during a download, breaks the database, and expects a restart to fail with the reason
 * `why`. After the repair, the download must continue.
 * @param breakIt breaks the database, and returns a function that repairs it
 */
async function expectRefusal(
  why: string,
  breakIt: (stage: Stage, database: string) => Promise<() => Promise<unknown>>,
): Promise<void> {
  await using stage = await setStage({ size: 8 * MiB });
  const { system, proxy, invariants } = stage;
  const { downloadId } = await pullHalf(stage);
  system.server.signal("SIGKILL");
  await system.server.ended();
  const database = join(system.serverFolder, "state.db");
  const mend = await breakIt(stage, database);
  const before = await filesOf(stage);

  await system.server.launch(["--port", String(system.port)]);
  expect(await system.server.ended()).toBe(1);
  // The log has a single line, without a stack trace.
  const [line, ...more] = system.server.log();
  expect(line?.message).toContain(`cannot open the database "${database}": ${why}`);
  expect(more).toEqual([]);
  expect(await filesOf(stage)).toEqual(before);

  await mend();
  await system.restartServer();
  proxy.release("up");
  await invariants.expectAll(delivered(downloadId, stage, 1));
}

/** Returns the MD5 of the database and of each part, by path. */
async function filesOf({ system }: Stage): Promise<Record<string, string>> {
  const names = await readdir(system.serverFolder, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile() && !/-shm$|^lock/.test(entry.name));
  const entries = files.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name);
    return [path, await md5OfFile(path)] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** A program that locks a SQLite database exclusively, then prints "locked". */
const KEEPER = `
  const keeper = new (require("bun:sqlite").Database)(process.argv[1]);
  keeper.run("PRAGMA locking_mode = EXCLUSIVE");
  keeper.run("BEGIN EXCLUSIVE");
  console.log("locked");
  process.stdin.resume();
`;

test.concurrent("row 40: the database is locked at start", async () => {
  await expectRefusal("it is locked by another program", async (_, database) => {
    // Another process holds the lock, because POSIX drops all locks of a process on a file as soon as it
    // closes any descriptor of this file.
    const keeper = spawn([process.execPath, "-e", KEEPER, database], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    await keeper.stdout.getReader().read();
    return async () => {
      keeper.kill();
      await keeper.exited;
    };
  });
});

test.concurrent("row 40: the database is corrupt at start", async () => {
  await expectRefusal("it is damaged", async (_, database) => {
    // A checkpoint first moves all pages from the write-ahead log to the database file, where they are then
    // corrupted.
    using keeper = new Database(database);
    keeper.run("PRAGMA wal_checkpoint(TRUNCATE)");
    const whole = await Bun.file(database).bytes();
    const file = await open(database, "r+");
    await file.write(new Uint8Array(2 * PAGE).fill(0xa5), 0, 2 * PAGE, 2 * PAGE);
    await file.close();
    return () => Bun.write(database, whole);
  });
});
