import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { Failure } from "../../lib/cli/program.ts";
import { BUNDLES } from "../support/bundled.ts";

const PROJECT = join(import.meta.dir, "../..");

const PAGE = join(PROJECT, "lib/dashboard/index.html");

/** The programs that tests start as processes, hundreds of times. */
const PROGRAMS = ["server.ts", "client.ts", "lib/cli/fds.ts", "lib/cli/guide.ts"];

/**
 * The programs in one file of compiled code each, outside of the sources, for tests that start them: a
 * start takes half the time of the processor or less. Stack traces tell of the sources all the same.
 */
export class Bundles implements AsyncDisposable {
  private constructor(private readonly folder: string) {}

  /** @throws Failure when a program cannot be bundled */
  static async make(): Promise<Bundles> {
    const folder = await mkdtemp(join(tmpdir(), "fds-bundles-"));
    const bundles = new Bundles(folder);
    try {
      // Programs run as other users too.
      await chmod(folder, 0o755);
      await bundles.#build();
      return bundles;
    } catch (error) {
      await bundles[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** For the environment of tests: they start these in place of the sources. */
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
    // Not by the plugin: a bundle that waits for another one waits for ever.
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
 * What is told apart by its place is that of the sources: the files of threads, and what is beside them.
 * @param page JSON of a `Bun.HTMLBundle`: the dashboard, which is bundled already
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
          // Compiled code is no module, and nothing comes after it.
          .replace(/^(if \(import\.meta\.main\) )?await (?=run)/m, "$1void ");
        return { contents, loader: "ts" };
      });
    },
  };
}

/** @throws Failure that says what cannot be bundled */
async function build(config: Bun.BuildConfig): Promise<Bun.BuildOutput> {
  const output = await Bun.build({ ...config, throw: false });
  if (output.success) return output;
  throw new Failure(`the programs cannot be bundled: ${output.logs.join("\n")}`);
}
