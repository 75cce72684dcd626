import { join } from "node:path";
import { Invariants } from "../support/invariants.ts";
import { LoopDisk } from "../support/loop-disk.ts";
import type { Program } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { type Version, writeRandom } from "../support/sources.ts";
import { System, type SystemOptions } from "../support/system.ts";

export const KiB = 1024;
export const MiB = 1024 * KiB;

/** Size of a disk that can lose power, in bytes. */
const DISK = 64 * MiB;

/** The server's RECEIVE_BUDGET in bytes, small so that few bytes may be sent twice after a fault. */
export const WINDOW = MiB;

/** A server, a client with a file, and the simulated network between them. */
export interface Stage extends AsyncDisposable {
  system: System;
  proxy: Proxy;
  client: Program;
  /** Size and MD5 of the client's file "file". */
  wanted: Version;
  invariants: Invariants;
}

export interface StageOptions {
  /** Size of the file, in bytes. */
  size: number;
  /** Settings of the server. */
  env?: Record<string, string>;
  clientEnv?: Record<string, string>;
  seed?: number;
  /** Called before the client connects, to set up the network. */
  prepare?: (proxy: Proxy) => void;
  /** Prepares the server's folder before the start. */
  prepareFolder?: SystemOptions["prepare"];
}

export async function setStage(options: StageOptions): Promise<Stage> {
  const { size, env, clientEnv, seed, prepare, prepareFolder } = options;
  const budget = { RECEIVE_BUDGET: String(WINDOW) };
  const system = await System.start({ ...budget, ...env }, { prepare: prepareFolder });
  const proxy = await Proxy.listen(system.port, seed);
  prepare?.(proxy);
  const wanted = await writeRandom(system.source("file"), size);
  const client = await system.startClient({ server: proxy.url, env: clientEnv });
  const window = Number(env?.["RECEIVE_BUDGET"] ?? WINDOW);
  const invariants = await Invariants.watch(system, proxy, window);
  return {
    system,
    proxy,
    client,
    wanted,
    invariants,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await system[Symbol.asyncDispose]();
    },
  };
}

/** Sets up a stage whose server has its downloads on a disk that can lose power. */
export async function stageOnDisk(options: StageOptions): Promise<Stage & { disk: LoopDisk }> {
  let disk: LoopDisk | null = null;
  const stage = await setStage({
    ...options,
    prepareFolder: async (folder) => (disk = await LoopDisk.mount(join(folder, "downloads"), DISK)),
  });
  return { ...stage, disk: disk! };
}

/** Makes the outcome to pass to {@link Invariants.expectAll} when the stage's file must be delivered. */
export function delivered(downloadId: string, { wanted }: Stage, breaks: number) {
  return { wanted: new Map([[downloadId, wanted]]), breaks };
}
