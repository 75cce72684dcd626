import { afterEach, beforeEach } from "bun:test";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type FoundFile, Walk } from "../../lib/client/sets/walk.ts";
import { Roots, type RootsOptions } from "../../lib/client/owner-rules/roots.ts";
import { PathPatterns } from "../../lib/protocol/patterns.ts";

/** The temporary folder that contains the site's root. */
export let base: string;
/** The root folder that the walk searches. */
export let site: string;

/** Writes a file of the site, with the folders above it. */
export function put(path: string, bytes = "x", root = site): void {
  fs.mkdirSync(dirname(join(root, path)), { recursive: true });
  fs.writeFileSync(join(root, path), bytes);
}

/** The patterns and options of a walk, and callbacks that run during the walk. */
export interface Asked extends RootsOptions {
  include?: string[];
  exclude?: string[];
  roots?: string[];
  minAgeMs?: number;
  /** Called after the roots were opened, before the walk starts. */
  beforehand?: () => void;
  /** Called before each batch of directory entries, with the number of names so far. False ends the walk. */
  meanwhile?: (names: number) => boolean | void;
}

/**
 * Runs a walk.
 * @returns `path` of each found file, or `path: reason` if it is skipped, in the walk's order
 */
export async function walked(asked: Asked = {}): Promise<string[]> {
  const all = await found(asked);
  return all.map(({ path, skipped }) => (skipped ? `${path}: ${skipped}` : path));
}

/** Runs a walk, and returns all files that it finds, in its order. */
export async function found(asked: Asked = {}): Promise<FoundFile[]> {
  return (await walkThrough(asked)).all;
}

/** Runs a walk to its end. @returns the files that it found, and the walk itself */
export async function walkThrough(asked: Asked): Promise<{ all: FoundFile[]; walk: Walk }> {
  const { include = ["**"], exclude = [], roots = [site], minAgeMs = 0, meanwhile } = asked;
  const opened = await Roots.open(roots, asked);
  asked.beforehand?.();
  const pathCheck = await opened.pathCheck();
  const walk = new Walk({
    pathCheck,
    include: new PathPatterns(include),
    exclude: new PathPatterns(exclude),
    minAgeMs,
    onProgress: (names) => meanwhile?.(names) !== false,
  });
  const all: FoundFile[] = [];
  for await (const batch of walk.files()) all.push(...batch);
  return { all, walk };
}

/** Makes an empty site before each test of a file. */
export function useWalkedSite(): void {
  beforeEach(() => {
    base = fs.mkdtempSync(join(tmpdir(), "fds-walk-"));
    site = join(base, "site");
    fs.mkdirSync(site);
  });

  afterEach(() => fs.rmSync(base, { recursive: true, force: true }));
}
