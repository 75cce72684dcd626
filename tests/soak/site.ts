import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { Program } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import type { System } from "../support/system.ts";
import { ChangingSource } from "./changing-source.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** Sizes of the files at every site, in bytes. */
const SIZES = [0, 1, 3 * KiB, 200 * KiB, MiB + 1, 6 * MiB];
/** Every fifth site also has a large file. */
const LARGE_EVERY = 5;
/** Size of the large file, in bytes. */
const LARGE = 64 * MiB;
/** Number of steady sites. Their clients are never ended, so that leaks can be seen. */
const STEADY = 3;

/** A client with its files, behind a simulated network of its own. */
export interface Site {
  id: string;
  client: Program;
  proxy: Proxy;
  sources: ChangingSource[];
  /** True: the client of this site is never ended. */
  steady: boolean;
  /** True: a fault of this site is under way. */
  struck: boolean;
}

/**
 * Starts a site with its files, proxy and client.
 * @param n number of the site, from 0
 */
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
