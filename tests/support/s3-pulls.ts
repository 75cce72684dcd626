import type { Program } from "./programs.ts";
import { Proxy } from "./proxy.ts";
import { S3System } from "./s3-system.ts";
import { type Version, writeRandom } from "./sources.ts";

const MiB = 1024 * 1024;
const SIZE = 61 * MiB + 12_345;

/** S3 alone, without Postgres. */
export const IN_A_FILE = { DATABASE_URL: "sqlite://state.db" };

/** What is there for a pull. */
export interface Setup extends AsyncDisposable {
  s3System: S3System;
  proxy: Proxy;
  client: Program;
  wanted: Version;
}

/** A client behind a proxy, with a file of many segments. */
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
