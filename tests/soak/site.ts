import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { Program } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import type { System } from "../support/system.ts";
import { ChangingSource } from "./changing-source.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** Sizes of the files of every site, in bytes. */
const SIZES = [0, 1, 3 * KiB, 200 * KiB, MiB + 1, 6 * MiB];
/** Every so many sites have one that is large. */
const LARGE_EVERY = 5;
const LARGE = 64 * MiB;
/** So many sites keep their client as long as the soak lasts: what it leaks adds up. */
const STEADY = 3;

/** A client behind a network of its own, with its files. */
export interface Site {
  id: string;
  client: Program;
  proxy: Proxy;
  sources: ChangingSource[];
  /** Its client is never ended. */
  steady: boolean;
  /** Something happens to it now. */
  struck: boolean;
}

/** @param n from 0 on */
export async function startSite(system: System, n: number): Promise<Site> {
  const id = `site-${n + 1}`;
  const sizes = n % LARGE_EVERY === 0 ? [...SIZES, LARGE] : SIZES;
  const sources = await Promise.all(
    sizes.map(async (size) => {
      const filePath = `${id}/${size}.bin`;
      const path = system.source(filePath);
      await mkdir(dirname(path), { recursive: true });
      return ChangingSource.create(path, filePath, size);
    }),
  );
  const proxy = await Proxy.listen(system.port);
  const env = { LOG_LEVEL: "warn" };
  const client = await system.startClient({ id, server: proxy.url, env });
  return { id, client, proxy, sources, steady: n < STEADY, struck: false };
}
