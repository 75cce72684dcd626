import fs from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { Random } from "../support/random.ts";

/*
 * This file is preloaded into a server by BUN_OPTIONS, and never imported, because it patches its process.
 * Most writes to files take fewer bytes than they are given, as POSIX allows.
 */

type Write = (bytes: Uint8Array, from: number, length: number, at: number) => Promise<object>;

const random = new Random(Number(process.env["FDS_SEED"] ?? 1));
const probe = await open(import.meta.path);
const handles: { write: Write } = Object.getPrototypeOf(probe) as FileHandle & { write: Write };
await probe.close();
const { write } = handles;
handles.write = function (bytes, from, length, at) {
  if (at === 0) process.stdout.write("a write is short\n");
  return write.call(this, bytes, from, random.int(1, length), at);
};

const { write: writeLarge, writeSync } = fs;
type Told = (error: NodeJS.ErrnoException | null, bytesWritten: number) => void;
const shortLarge = (
  file: number,
  bytes: Uint8Array,
  from: number,
  length: number,
  at: number,
  told: Told,
) => {
  if (at === 0) process.stdout.write("a write is short\n");
  writeLarge(file, bytes, from, random.int(1, length), at, told);
};
// Large blocks of a set's files are written by this function.
fs.write = shortLarge as typeof fs.write;

const shortSync = (file: number, bytes: Uint8Array, from: number, length: number, at: number) => {
  if (at === 0 && length > 1) process.stdout.write("a write is short\n");
  return writeSync(file, bytes, from, random.int(1, length), at);
};
// Small files of sets, and small blocks of large ones, are written by this function.
fs.writeSync = shortSync as typeof writeSync;
