import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { Failure } from "../../lib/cli/program.ts";
import { BUNDLES } from "../support/bundled.ts";

const PROJECT = join(import.meta.dir, "../..");

const PAGE = join(PROJECT, "lib/dashboard/index.html");

/** The programs that tests start as processes, together hundreds of times. */
const PROGRAMS = ["server.ts", "client.ts", "lib/cli/fds.ts", "lib/cli/guide.ts"];

/**
 * The programs, each bundled into one precompiled file in a temporary folder. Tests start these files instead
 * of the sources, as that takes at most half the CPU time. Stack traces still name lines of the sources.
 */
export class Bundles implements AsyncDisposable {
  private constructor(private readonly folder: string) {}

  /** Bundles all programs into a new temporary folder. @throws Failure if one cannot be bundled */
  static async make(): Promise<Bundles> {
    const folder = await mkdtemp(join(tmpdir(), "fds-bundles-"));
    const bundles = new Bundles(folder);
    try {
      // Other users need access, as some tests run the programs as another user.
      await chmod(folder, 0o755);
      await bundles.#build();
      return bundles;
    } catch (error) {
      await bundles[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The environment variable by which tests find the bundle of each source file. */
  get env(): Record<string, string> {
    const paths = PROGRAMS.map((source) => [
      join(PROJECT, source),
      join(this.folder, source.replace(/\.ts$/, ".js")),
    ]);
    return { [BUNDLES]: JSON.stringify(Object.fromEntries(paths)) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  async #build(): Promise<void> {
    // The page is bundled first. A plugin that called Bun.build inside the build of the programs would wait
    // forever.
    const { outputs } = await build({
      entrypoints: [PAGE],
      outdir: join(this.folder, "page"),
      minify: true,
    });
    const files = outputs.map(({ path, type }) => ({ path, headers: { "content-type": type } }));
    await build({
      entrypoints: PROGRAMS.map((source) => join(PROJECT, source)),
      root: PROJECT,
      outdir: this.folder,
      target: "bun",
      format: "cjs",
      bytecode: true,
      sourcemap: "linked",
      minify: { whitespace: true, syntax: true },
      plugins: [asTheSources(JSON.stringify({ index: PAGE, files }))],
    });
  }
}

/**
 * Returns a plugin that replaces `import.meta.dir` and `import.meta.url` by the paths of the sources, so that
 * a bundle finds worker threads and other files beside its sources.
 * @param page JSON of a `Bun.HTMLBundle`, which replaces the import of the dashboard's HTML
 */
function asTheSources(page: string): Bun.BunPlugin {
  return {
    name: "as the sources",
    setup(builder) {
      builder.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const source = await Bun.file(path).text();
        const contents = source
          .replaceAll("import.meta.dir", JSON.stringify(dirname(path)))
          .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href))
          .replace(/^import (\w+) from ".*\.html";/m, (_, name) => `const ${name} = ${page};`)
          // Replaces a top-level await, which CommonJS does not allow. The call is the last statement anyway.
          .replace(/^(if \(import\.meta\.main\) )?await (?=run)/m, "$1void ");
        return { contents, loader: "ts" };
      });
    },
  };
}

/** Runs Bun.build. @throws Failure with the messages of Bun if that fails */
async function build(config: Bun.BuildConfig): Promise<Bun.BuildOutput> {
  const output = await Bun.build({ ...config, throw: false });
  if (output.success) return output;
  throw new Failure(`the programs cannot be bundled: ${output.logs.join("\n")}`);
}
