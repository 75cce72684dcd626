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

/** In place: the file stays the same one. Each byte becomes another one, as a random one may not. */
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

/** All of it, in place, and its time as if nothing had been. */
export function rewriteUnseen(path: string): void {
  const { size, atime, mtime } = statSync(path);
  overwrite(path, 0, size);
  utimesSync(path, atime, mtime);
}

/** Another file takes its name. */
export function replace(path: string): void {
  writeFileSync(`${path}.new`, randomBytes(SIZE));
  renameSync(`${path}.new`, path);
}

/** Its time alone. */
export const touch = (path: string) => utimesSync(path, new Date(), new Date());

/** More bytes at its end. */
export const grow = (path: string) => appendFileSync(path, randomBytes(3 * MiB));

/** What is there while a file is pulled. */
export interface Pull {
  system: System;
  proxy: Proxy;
  path: string;
  /** What the file was at first. */
  first: Version;
}

/** A server behind a proxy, and a file. */
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
