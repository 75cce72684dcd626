import { describe, expect, test } from "bun:test";
import { type FileIdentity, isUnchanged, mayBeUnchanged } from "../../lib/protocol/identity.ts";
import type { Change } from "./memory-file.ts";

/** An open file. It stays the same file even if its name is deleted or given to another file. */
export interface OpenedFile {
  identity(): Promise<FileIdentity>;
  bytes(): Promise<Uint8Array>;
}

/** A file that a test can change, in memory or on a disk. */
export interface ChangingFile extends AsyncDisposable {
  /** Opens the file by its name. Returns null if no file has the name. */
  open(): Promise<OpenedFile | null>;
  change(how: Change): Promise<void>;
}

/**
 * Defines tests that both a file on a disk and the model's file in memory must pass.
 * @param make creates a file of a size in bytes
 */
export function changingFileContract(
  backend: string,
  make: (size: number) => Promise<ChangingFile>,
): void {
  const SIZE = 100;

  /**
   * Opens a file, changes it, and returns its state before and after, and the file that has its name then.
   */
  async function changed(how: Change | null) {
    await using file = await make(SIZE);
    const opened = (await file.open())!;
    const before = { identity: await opened.identity(), bytes: await opened.bytes() };
    if (how) await file.change(how);
    const after = { identity: await opened.identity(), bytes: await opened.bytes() };
    const next = await file.open();
    const named = next && { identity: await next.identity(), bytes: await next.bytes() };
    return { before, after, named };
  }

  describe(`${backend}: an open file`, () => {
    test("that nobody changes is the same, and has as many bytes as it says", async () => {
      const { before, after, named } = await changed(null);
      expect(before.identity.size).toBe(SIZE);
      expect(before.bytes).toHaveLength(SIZE);
      expect(after).toEqual(before);
      expect(named).toEqual(before);
      expect(isUnchanged(before.identity, after.identity)).toBe(true);
    });

    test("that grows is the same, with its bytes in front", async () => {
      const { before, after, named } = await changed("grow");
      expect(after.identity.size).toBeGreaterThan(SIZE);
      expect(after.bytes).toHaveLength(after.identity.size);
      expect(after.bytes.subarray(0, SIZE)).toEqual(before.bytes);
      expect(isUnchanged(before.identity, after.identity)).toBe(true);
      expect(named).toEqual(after);
    });

    test("that is overwritten may be the same, and its bytes are others", async () => {
      const { before, after, named } = await changed("overwrite");
      expect(after.identity.size).toBe(SIZE);
      expect(after.bytes).not.toEqual(before.bytes);
      expect(isUnchanged(before.identity, after.identity)).toBe(false);
      expect(mayBeUnchanged(before.identity, after.identity)).toBe(true);
      expect(named).toEqual(after);
    });

    test("that is shortened is another one", async () => {
      const { before, after, named } = await changed("shorten");
      expect(after.identity.size).toBeLessThan(SIZE);
      expect(after.bytes).toEqual(before.bytes.subarray(0, after.identity.size));
      expect(isUnchanged(before.identity, after.identity)).toBe(false);
      expect(mayBeUnchanged(before.identity, after.identity)).toBe(false);
      expect(named).toEqual(after);
    });

    test("in whose place another one comes keeps its bytes, and the other has an inode of its own", async () => {
      const { before, after, named } = await changed("replace");
      expect(after.bytes).toEqual(before.bytes);
      expect(after.identity).toMatchObject({ size: SIZE, inode: before.identity.inode });
      expect(named!.identity.inode).not.toBe(before.identity.inode);
      expect(named!.bytes).toHaveLength(SIZE);
      expect(named!.bytes).not.toEqual(before.bytes);
      expect(mayBeUnchanged(before.identity, named!.identity)).toBe(false);
    });

    test("that is deleted keeps its bytes, and has no name", async () => {
      const { before, after, named } = await changed("delete");
      expect(after.bytes).toEqual(before.bytes);
      expect(after.identity).toMatchObject({ size: SIZE, inode: before.identity.inode });
      expect(named).toBeNull();
    });
  });
}
