import { describe, expect, test } from "bun:test";
import fs from "node:fs";
import { join } from "node:path";
import { OpenFolder } from "../../../lib/client/sets/open-folder.ts";
import { spawnSync } from "../../support/spawn.ts";
import { base, put, site, useWalkedSite, walked } from "../../support/walk.ts";

useWalkedSite();

/* Row 44 of tests/faults/README.md: a walk through a site that changes at the same time. */

const hasProc = fs.existsSync("/proc/self/fd");

/** Returns the error that a broken disk throws. */
const brokenDisk = () =>
  Object.assign(new Error("EIO: i/o error"), { code: "EIO", errno: -5, syscall: "read" });

describe.skipIf(!hasProc)("row 44: while it walks,", () => {
  /** Returns a callback that does its work at the first call only. */
  const once = (work: () => void) => {
    let isDone = false;
    return () => {
      if (!isDone) work();
      isDone = true;
    };
  };

  test("a folder that is swapped for a link leads nowhere", async () => {
    put("outside/treasure", "x", base);
    put("folder/file");
    const meanwhile = once(() => {
      fs.renameSync(join(site, "folder"), join(site, "aside"));
      fs.symlinkSync("../outside", join(site, "folder"));
    });
    expect(await walked({ meanwhile })).toEqual([]);
  });

  test("a file that is swapped for a link or a FIFO is none", async () => {
    put("outside/treasure", "treasure", base);
    for (const name of ["a", "b", "c"]) put(name);
    const meanwhile = once(() => {
      for (const name of ["a", "b"]) fs.rmSync(join(site, name));
      fs.symlinkSync("../outside/treasure", join(site, "a"));
      spawnSync(["mkfifo", join(site, "b")]);
    });
    expect(await walked({ meanwhile })).toEqual(["c"]);
  });

  test("a folder that is renamed, emptied or filled changes nothing of the rest", async () => {
    for (const folder of ["a", "b", "c", "d"]) put(`${folder}/file`);
    const meanwhile = once(() => {
      fs.renameSync(join(site, "a"), join(site, "z"));
      fs.rmSync(join(site, "b/file"));
      fs.rmSync(join(site, "c"), { recursive: true });
      put("d/more");
    });
    expect(await walked({ meanwhile })).toEqual(["d/file", "d/more"]);
  });

  test("a folder that is removed while it is open has nothing", async () => {
    for (const folder of ["a", "b"]) put(`${folder}/file`);
    using _ = onEntries((path) => path.endsWith("/a") && fs.rmSync(path, { recursive: true }));
    expect(await walked()).toEqual(["b/file"]);
  });

  test("a folder whose names cannot be read has a row", async () => {
    for (const folder of ["a", "b"]) put(`${folder}/file`);
    using _ = onEntries((path) => {
      if (path.endsWith("/a")) throw brokenDisk();
    });
    expect(await walked()).toEqual(["a: file_unreadable", "b/file"]);
  });

  test("a root that is gone takes nothing from the others; one that is broken is told", async () => {
    put("a", "x", join(base, "one"));
    put("b", "x", join(base, "two"));
    const roots = [join(base, "one"), join(base, "two")];
    using broken = onEntries((path) => {
      if (path.endsWith("one")) throw brokenDisk();
    });
    expect(walked({ roots })).rejects.toMatchObject({ code: "file_unreadable" });
    broken[Symbol.dispose]();
    using _ = onEntries((path) => path.endsWith("one") && fs.rmSync(path, { recursive: true }));
    expect(await walked({ roots })).toEqual(["b"]);
  });

  test("it ends where nobody waits for it any more", async () => {
    for (let n = 0; n < 200; n++) put(`f-${n}`);
    expect(await walked({ meanwhile: (names) => names < 64 })).toHaveLength(64);
  });
});

/** Calls `work` with the path of each folder before the folder's names are read. */
function onEntries(work: (path: string) => unknown): Disposable {
  const { names } = OpenFolder.prototype;
  OpenFolder.prototype.names = async function* (this: OpenFolder) {
    const { fd } = this as unknown as { fd: number };
    work(fs.readlinkSync(`/proc/self/fd/${fd}`));
    yield* names.call(this);
  };
  return { [Symbol.dispose]: () => void (OpenFolder.prototype.names = names) };
}
