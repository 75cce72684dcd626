import { expect, spyOn, test } from "bun:test";
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PartFile } from "../../../lib/server/storage/part.ts";

/** Opens a part on a real file, whose handle a test can make fail. */
async function openPart() {
  const folder = await mkdtemp(join(tmpdir(), "fds-part-"));
  const file = await open(join(folder, "part"), "w+");
  return {
    file,
    part: new PartFile(file, 0, Promise.resolve()),
    [Symbol.asyncDispose]: async () => {
      await file.close();
      await rm(folder, { recursive: true });
    },
  };
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: it failed, open '/srv/secret/part'`), {
    code,
    errno: -1,
  });
}

/** The parameters and the result of `read` and `write` of a FileHandle, as parts call them. */
type Transfer = (bytes: Uint8Array, from: number, length: number, at: number) => Promise<object>;

function atMost(most: number, transfer: Transfer): Transfer {
  return (bytes, from, length, at) => transfer(bytes, from, Math.min(length, most), at);
}

const TEN = new TextEncoder().encode("0123456789");

test("short writes and short reads go on where they stopped", async () => {
  await using opened = await openPart();
  const { file, part } = opened;
  const shortWrite = atMost(3, file.write.bind(file)) as FileHandle["write"];
  const shortRead = atMost(4, file.read.bind(file)) as FileHandle["read"];
  const writes = spyOn(file, "write").mockImplementation(shortWrite);
  spyOn(file, "read").mockImplementation(shortRead);
  await part.write(TEN, 5);
  expect(writes).toHaveBeenCalledTimes(4);
  expect(await part.read(5, 100)).toEqual(TEN);
});

test("a write that takes nothing ends in an error, not in a loop", async () => {
  await using opened = await openPart();
  const noWrite: Transfer = async (buffer) => ({ bytesWritten: 0, buffer });
  spyOn(opened.file, "write").mockImplementation(noWrite as FileHandle["write"]);
  await expect(opened.part.write(TEN, 0)).rejects.toMatchObject({ code: "storage_error" });
});

test.each([
  ["ENOSPC", "storage_full"],
  ["EDQUOT", "storage_full"],
  ["EMFILE", "storage_full"],
  ["ENFILE", "storage_full"],
  ["EFBIG", "storage_error"],
  ["EIO", "storage_error"],
  ["EROFS", "storage_error"],
])("%s is %s, with the cause and without a path", async (errno, code) => {
  await using opened = await openPart();
  const cause = systemError(errno);
  spyOn(opened.file, "write").mockRejectedValue(cause);
  const message = `cannot write the part file: ${errno}`;
  await expect(opened.part.write(TEN, 0)).rejects.toMatchObject({ code, message, cause });
});

test("after a write that failed, the part goes on", async () => {
  await using opened = await openPart();
  spyOn(opened.file, "write").mockRejectedValueOnce(systemError("ENOSPC"));
  await expect(opened.part.write(TEN, 0)).rejects.toMatchObject({ code: "storage_full" });
  await opened.part.write(TEN, 0);
  await opened.part.sync();
  expect(await opened.part.read(0, 10)).toEqual(TEN);
});

test("after a flush that failed, nothing but closing is left, though the kernel would say yes", async () => {
  await using opened = await openPart();
  const { file, part } = opened;
  await part.write(TEN, 0);
  const flushes = spyOn(file, "datasync").mockRejectedValueOnce(systemError("EIO"));
  const failure = { code: "storage_error", message: "cannot flush the part file: EIO" };
  await expect(part.sync()).rejects.toMatchObject(failure);
  const refused = { code: "storage_error" };
  await expect(part.sync()).rejects.toMatchObject(refused);
  await expect(part.write(TEN, 10)).rejects.toMatchObject(refused);
  await expect(part.truncate(0)).rejects.toMatchObject(refused);
  await expect(part.read(0, 10)).rejects.toMatchObject(refused);
  expect(flushes).toHaveBeenCalledTimes(1);
  expect((await file.stat()).size).toBe(10);
  await part.close();
});

test("a close that fails is told", async () => {
  await using opened = await openPart();
  spyOn(opened.file, "close").mockRejectedValueOnce(systemError("EIO"));
  const failure = { code: "storage_error", message: "cannot close the part file: EIO" };
  await expect(opened.part.close()).rejects.toMatchObject(failure);
});
