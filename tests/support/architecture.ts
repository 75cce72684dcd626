import { basename, dirname, join } from "node:path/posix";

/**
 * The project's files by path from the top level, each with its imports: paths of files, or names of
 * packages.
 */
export type Graph = Record<string, string[]>;

/**
 * The folders and files from which each part of the project may import; see "The folders" in lib/README.md.
 */
const MAY_IMPORT: Record<string, string[]> = {
  "lib/protocol": ["lib/protocol", "lib/util"],
  "lib/util": ["lib/util"],
  "lib/api": ["lib/api", "lib/protocol", "lib/util"],
  "lib/server": ["lib/server", "lib/api", "lib/protocol", "lib/util"],
  "lib/client": ["lib/client", "lib/protocol", "lib/util"],
  "lib/cli": ["lib/cli", "lib/api", "lib/util"],
  "lib/dashboard": ["lib/dashboard", "lib/api", "lib/util"],
  // The program that contains all others. lib/program may import from all of them, and nothing may import
  // from lib/program.
  "lib/program": [
    "lib/program",
    "lib/cli",
    "lib/client",
    "lib/server",
    "lib/api",
    "lib/util",
    "client.ts",
    "server.ts",
    "package.json",
  ],
  "server.ts": [
    "lib/server",
    "lib/dashboard",
    "lib/api",
    "lib/protocol",
    "lib/util",
    "package.json",
  ],
  "client.ts": ["lib/client", "lib/protocol", "lib/util", "package.json"],
  "setup.ts": ["lib/cli", "lib/util"],
};

/** The files of each backend's folder that the core may import: the interface, and rules for all storages. */
const OPEN_TO_THE_CORE: Record<string, string[]> = {
  "lib/server/database": ["repository.ts"],
  "lib/server/storage": ["storage.ts", "names.ts", "set-names.ts", "paths.ts", "free-space.ts"],
  "lib/server/storage/s3": [],
};

/** The only file that chooses the backends for database and storage. */
const COMPOSITION_ROOT = "server.ts";

const PACKAGES = ["hono", "zod", "@hono/zod-validator"];

/**
 * Returns the part of the project that a file belongs to: `lib/<folder>`, or the file itself at the top
 * level.
 */
function placeOf(file: string): string {
  return file.startsWith("lib/") ? file.split("/").slice(0, 2).join("/") : file;
}

/**
 * Returns the files and packages that a TypeScript file imports, including type-only imports and workers.
 * @param file path relative to the top level
 */
export function importsOf(file: string, source: string): string[] {
  const scanned = new Bun.Transpiler({ loader: "ts" }).scanImports(source).map(({ path }) => path);
  // Bun's transpiler leaves out type-only imports and the files of workers.
  const forgotten = [
    /^(?:import|export)\b[^;"]*\bfrom "([^"]+)"/gm,
    /\bimport\("([^"]+)"\)/g,
    /\bnew URL\("(\.[^"]+)", import\.meta\.url\)/g,
  ].flatMap((pattern) => [...source.matchAll(pattern)].map((match) => match[1]!));
  const targets = [...scanned, ...forgotten].map((target) =>
    target.startsWith(".") ? join(dirname(file), target) : target,
  );
  return [...new Set(targets)];
}

/** Returns the imports that {@link MAY_IMPORT} forbids, each as a line of text. */
export function wrongDirections(graph: Graph): string[] {
  return broken(graph, (file, target) => {
    const place = placeOf(file);
    const allowed = MAY_IMPORT[place];
    if (!allowed) return `"${place}" is no place of the design`;
    if (!isOurs(target) || allowed.includes(placeOf(target))) return null;
    return `${place} may import only from ${allowed.join(", ")}`;
  });
}

/** Returns imports of a backend from outside its folder, except by the composition root. */
export function chosenBackends(graph: Graph): string[] {
  return broken(graph, (file, target) => {
    const folder = dirname(target);
    const open = OPEN_TO_THE_CORE[folder];
    if (!open || open.includes(basename(target))) return null;
    const isItsOwn = `${dirname(file)}/`.startsWith(`${folder}/`);
    if (isItsOwn || file === COMPOSITION_ROOT) return null;
    return `only ${COMPOSITION_ROOT} chooses a backend, others know ${open.join(", ")}`;
  });
}

/**
 * Returns imports of packages that are neither runtime dependencies nor built into Bun. Bun has its own `ws`.
 */
export function strangePackages(graph: Graph): string[] {
  return broken(graph, (_, target) => {
    if (isOurs(target) || /^(?:node:|bun$|bun:|ws$)/.test(target)) return null;
    const isKnown = PACKAGES.some((name) => target === name || target.startsWith(`${name}/`));
    return isKnown ? null : `only ${PACKAGES.join(", ")} and Bun's own are there`;
  });
}

/** Returns each circular chain of imports once, written as `a → b → a`. */
export function cycles(graph: Graph): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, way: string[]): void => {
    const start = way.indexOf(file);
    if (start >= 0) found.push([...way.slice(start), file].join(" → "));
    if (start >= 0 || done.has(file)) return;
    for (const target of graph[file] ?? []) visit(target, [...way, file]);
    done.add(file);
  };
  for (const file of Object.keys(graph)) visit(file, []);
  return found;
}

/**
 * Returns the files that read environment variables or arguments without being a program.
 * @param sources the source text of each file, by path
 * @param programs paths of the files that are started as programs
 */
export function settingsReaders(sources: Record<string, string>, programs: string[]): string[] {
  const reads = /\b(?:process|Bun|import\.meta)\.(?:env|argv)\b/;
  return Object.entries(sources).flatMap(([file, source]) => {
    const match = programs.includes(file) ? null : reads.exec(source);
    return match ? `${file} reads ${match[0]}: only programs read settings` : [];
  });
}

/**
 * Returns the graph of imports between folders, to find cycles. A file with subfolders beside it is a node of
 * its own, because shared files and entry points often lie next to each other.
 */
export function foldersOf(graph: Graph): Graph {
  const folders = new Set(Object.keys(graph).map((file) => dirname(file)));
  const roomOf = (file: string) => {
    const folder = dirname(file);
    const hasFolders = [...folders].some((other) => other.startsWith(`${folder}/`));
    return hasFolders || !file.startsWith("lib/") ? file : folder;
  };
  const rooms: Record<string, Set<string>> = {};
  for (const [file, targets] of Object.entries(graph)) {
    const room = roomOf(file);
    const others = (rooms[room] ??= new Set());
    for (const target of targets.filter((name) => name in graph).map(roomOf)) {
      if (target !== room) others.add(target);
    }
  }
  return Object.fromEntries(Object.entries(rooms).map(([room, others]) => [room, [...others]]));
}

function isOurs(target: string): boolean {
  return target.includes(".") && !target.startsWith("node:");
}

function broken(graph: Graph, rule: (file: string, target: string) => string | null): string[] {
  return Object.entries(graph).flatMap(([file, targets]) =>
    targets.flatMap((target) => {
      const why = rule(file, target);
      return why === null ? [] : `${file} imports ${target}: ${why}`;
    }),
  );
}
