import { basename, dirname, join } from "node:path/posix";

/** Files of ours, relative to the top level, and what each imports: files the same way, packages by name. */
export type Graph = Record<string, string[]>;

/** Where the files of a place may import from; see "The folders" in lib/README.md. */
const MAY_IMPORT: Record<string, string[]> = {
  "lib/protocol": ["lib/protocol", "lib/util"],
  "lib/util": ["lib/util"],
  "lib/api": ["lib/api", "lib/protocol", "lib/util"],
  "lib/server": ["lib/server", "lib/api", "lib/protocol", "lib/util"],
  "lib/client": ["lib/client", "lib/protocol", "lib/util"],
  "lib/cli": ["lib/cli", "lib/api", "lib/util"],
  "lib/dashboard": ["lib/dashboard", "lib/api", "lib/util"],
  // The one program that is built of all: it stands on them, and nothing stands on it.
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

/** What the core may know of its backends: the interface, and the names that every storage keeps to. */
const OPEN_TO_THE_CORE: Record<string, string[]> = {
  "lib/server/database": ["repository.ts"],
  "lib/server/storage": ["storage.ts", "names.ts", "set-names.ts", "paths.ts", "free-space.ts"],
  "lib/server/storage/s3": [],
};

/** The one file that chooses backends. */
const COMPOSITION_ROOT = "server.ts";

const PACKAGES = ["hono", "zod", "@hono/zod-validator"];

/** The place of a file: `lib/<folder>`, or the file itself at the top level. */
function placeOf(file: string): string {
  return file.startsWith("lib/") ? file.split("/").slice(0, 2).join("/") : file;
}

/**
 * What a file imports, types too.
 * @param file relative to the top level
 */
export function importsOf(file: string, source: string): string[] {
  const scanned = new Bun.Transpiler({ loader: "ts" }).scanImports(source).map(({ path }) => path);
  // The transpiler forgets imports of types, and knows nothing of a worker's file.
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

/** Imports that go the wrong way, one line each. */
export function wrongDirections(graph: Graph): string[] {
  return broken(graph, (file, target) => {
    const place = placeOf(file);
    const allowed = MAY_IMPORT[place];
    if (!allowed) return `"${place}" is no place of the design`;
    if (!isOurs(target) || allowed.includes(placeOf(target))) return null;
    return `${place} may import only from ${allowed.join(", ")}`;
  });
}

/** Imports of a backend by anything but the composition root, its own folder and those below it. */
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

/** Imports of a package that is no runtime dependency and does not come with Bun, as its `ws` does. */
export function strangePackages(graph: Graph): string[] {
  return broken(graph, (_, target) => {
    if (isOurs(target) || /^(?:node:|bun$|bun:|ws$)/.test(target)) return null;
    const isKnown = PACKAGES.some((name) => target === name || target.startsWith(`${name}/`));
    return isKnown ? null : `only ${PACKAGES.join(", ")} and Bun's own are there`;
  });
}

/** Circles of imports, each once, as `a → b → a`. */
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
 * Files that read settings and are no program.
 * @param sources text by file
 * @param programs the files that people start
 */
export function settingsReaders(sources: Record<string, string>, programs: string[]): string[] {
  const reads = /\b(?:process|Bun|import\.meta)\.(?:env|argv)\b/;
  return Object.entries(sources).flatMap(([file, source]) => {
    const match = programs.includes(file) ? null : reads.exec(source);
    return match ? `${file} reads ${match[0]}: only programs read settings` : [];
  });
}

/**
 * The graph of folders: what a folder's files import from other folders. A file that lies beside
 * folders stands for itself, so that what all of them stand on can lie next to what starts them.
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
