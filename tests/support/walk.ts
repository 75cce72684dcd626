import { afterEach, beforeEach } from "bun:test";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Found, Walk } from "../../lib/client/sets/walk.ts";
import { Roots, type RootsOptions } from "../../lib/client/owner-rules/roots.ts";
import { PathPatterns } from "../../lib/protocol/patterns.ts";

/** The folder around the site. */
export let base: string;
/** The root that is walked. */
export let site: string;

/** Writes a file of the site. */
export function put(path: string, bytes = "x", root = site): void {
  fs.mkdirSync(dirname(join(root, path)), { recursive: true });
  fs.writeFileSync(join(root, path), bytes);
}

/** What is looked for, and what happens meanwhile. */
export interface Asked extends RootsOptions {
  include?: string[];
  exclude?: string[];
  roots?: string[];
  minAgeMs?: number;
  /** Called once the client has started. */
  beforehand?: () => void;
  /** Called before each batch of names. */
  meanwhile?: (names: number) => boolean | void;
}

/** @returns `path`, or `path: why it does not come`, in the order of the walk */
export async function walked(asked: Asked = {}): Promise<string[]> {
  const all = await found(asked);
  return all.map(({ path, skipped }) => (skipped ? `${path}: ${skipped}` : path));
}

/** All that a walk gives, in its order. */
export async function found(asked: Asked = {}): Promise<Found[]> {
  return (await walkThrough(asked)).all;
}

/** The same, with the walk, which is over. */
export async function walkThrough(asked: Asked): Promise<{ all: Found[]; walk: Walk }> {
  const { include = ["**"], exclude = [], roots = [site], minAgeMs = 0, meanwhile } = asked;
  const opened = await Roots.open(roots, asked);
  asked.beforehand?.();
  const pathCheck = await opened.pathCheck();
  const walk = new Walk({
    pathCheck,
    include: new PathPatterns(include),
    exclude: new PathPatterns(exclude),
    minAgeMs,
    goOn: (names) => meanwhile?.(names) !== false,
  });
  const all: Found[] = [];
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
