import type { Program } from "./programs.ts";
import { Proxy } from "./proxy.ts";
import { S3System } from "./s3-system.ts";
import { type Version, writeRandom } from "./sources.ts";

const MiB = 1024 * 1024;
const SIZE = 61 * MiB + 12_345;

/** Settings that make SQLite the database, so that a test covers S3 without Postgres. */
export const IN_A_FILE = { DATABASE_URL: "sqlite://state.db" };

/** A server with S3, a client behind a proxy, and the file that the client serves. */
export interface Setup extends AsyncDisposable {
  s3System: S3System;
  proxy: Proxy;
  client: Program;
  wanted: Version;
}

/** Starts a server with S3 and a client behind a proxy, and writes a file of many segments for the client. */
export async function setUp(env: Record<string, string> = {}): Promise<Setup> {
  const s3System = await S3System.start(env);
  const { system } = s3System;
  const proxy = await Proxy.listen(system.port);
  return {
    s3System,
    proxy,
    wanted: await writeRandom(system.source("file"), SIZE),
    client: await system.startClient({ server: proxy.url }),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await s3System[Symbol.asyncDispose]();
    },
  };
}
