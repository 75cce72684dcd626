import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  closeSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { Proxy } from "./proxy.ts";
import { type Version, writeRandom } from "./sources.ts";
import { System } from "./system.ts";

const MiB = 1024 * 1024;
export const SIZE = 8 * MiB;

const BUDGET = { RECEIVE_BUDGET: "1MiB" };

/**
 * Overwrites bytes of a file in place. Each byte is increased by 1, because a random byte might equal the old
 * one.
 */
export function overwrite(path: string, position: number, length: number): void {
  const fd = openSync(path, "r+");
  const bytes = Buffer.alloc(length);
  readSync(fd, bytes, 0, length, position);
  writeSync(
    fd,
    bytes.map((byte) => byte + 1),
    0,
    length,
    position,
  );
  closeSync(fd);
}

/** Overwrites a whole file in place and restores its modification time. */
export function rewriteUnseen(path: string): void {
  const { size, atime, mtime } = statSync(path);
  overwrite(path, 0, size);
  utimesSync(path, atime, mtime);
}

/** Replaces a file by a new one of the same name. */
export function replace(path: string): void {
  writeFileSync(`${path}.new`, randomBytes(SIZE));
  renameSync(`${path}.new`, path);
}

/** Sets a file's modification time to now, without changing its content. */
export const touch = (path: string) => utimesSync(path, new Date(), new Date());

/** Appends random bytes to a file. */
export const grow = (path: string) => appendFileSync(path, randomBytes(3 * MiB));

/** A server behind a proxy, with a file to be changed while it is pulled. */
export interface Pull {
  system: System;
  proxy: Proxy;
  path: string;
  /** Size and MD5 of the file before any change. */
  first: Version;
}

/** Starts a server behind a proxy, and makes a file. */
export async function startPull(): Promise<Pull & AsyncDisposable> {
  const system = await System.start(BUDGET);
  const proxy = await Proxy.listen(system.port);
  const path = system.source("file");
  return {
    system,
    proxy,
    path,
    first: await writeRandom(path, SIZE),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await system[Symbol.asyncDispose]();
    },
  };
}
