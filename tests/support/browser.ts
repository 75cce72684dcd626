import type axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { DEADLINE } from "./wait.ts";

/** Chromium, the one without windows first: it takes half the time of the processor. */
const CHROMIUM = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]
  .map((name) => Bun.which(name))
  .find((path) => path !== null);

/** Added to the names of tests that cannot run here: the way to get what they need. */
export const NO_BROWSER = CHROMIUM
  ? ""
  : " (needs Chromium: apt-get install chromium-headless-shell)";

/** Says nothing to anybody but the pages that it shows, and needs no screen. */
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-proxy-server",
];

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM ?? "", args: FLAGS, timeout: DEADLINE });
}

/** The script of axe-core. */
const axeScript = Bun.file(Bun.fileURLToPath(import.meta.resolve("axe-core/axe.min.js")));

/** A page that keeps to one origin, with what went wrong in it. */
export class Visit implements AsyncDisposable {
  /** Errors of the console and of scripts. */
  readonly errors: string[] = [];
  /** Addresses elsewhere that the page asked for. */
  readonly strayed: string[] = [];

  private constructor(
    readonly page: Page,
    private readonly origin: string,
  ) {
    page.setDefaultTimeout(DEADLINE);
    page.on("console", (message) => {
      if (message.type() === "error") this.errors.push(message.text());
    });
    page.on("pageerror", (error) => this.errors.push(error.message));
    page.on("dialog", (dialog) => {
      this.errors.push(`a dialog: ${dialog.message()}`);
      dialog.dismiss().catch((error: unknown) => this.errors.push(String(error)));
    });
    page.on("request", (request) => {
      const url = request.url();
      if (new URL(url).origin !== this.origin && !url.startsWith("about:")) this.strayed.push(url);
    });
  }

  /** A browser that has never been there. @param address the server's */
  static async start(browser: Browser, address: string, options: BrowserContextOptions = {}) {
    const context = await browser.newContext({ acceptDownloads: true, ...options });
    return new Visit(await context.newPage(), new URL(address).origin);
  }

  /** What axe-core finds wrong: the rule, and where it is broken. */
  async violations(): Promise<string[]> {
    // It stays in the document: to load it takes as long as to run it.
    const isThere = await this.page.evaluate<boolean>(`"axe" in globalThis`);
    if (!isThere) await this.page.evaluate(await axeScript.text());
    const { found, passed } = await this.page.evaluate(async () => {
      const { run } = (globalThis as unknown as { axe: typeof axe }).axe;
      // Only what is wrong is told with all its elements.
      const { violations, passes } = await run({ resultTypes: ["violations"] });
      return {
        found: violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`)),
        passed: passes.length,
      };
    });
    if (passed < 10) throw new Error("axe found next to nothing to look at");
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
  }
}
