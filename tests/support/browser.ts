import type axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { DEADLINE } from "./wait.ts";

/** Path of a Chromium program. The headless shell comes first, as it needs half the CPU time. */
const CHROMIUM = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]
  .map((name) => Bun.which(name))
  .find((path) => path !== null);

/** Suffix for the names of tests that are skipped without Chromium, with the command that installs it. */
export const NO_BROWSER = CHROMIUM
  ? ""
  : " (needs Chromium: apt-get install chromium-headless-shell)";

/** Chromium's flags: no window, and no network requests except those of the pages. */
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

/** The source of axe-core, which checks the accessibility of a page. */
const axeScript = Bun.file(Bun.fileURLToPath(import.meta.resolve("axe-core/axe.min.js")));

/** A browser page that records its errors and its requests to other origins. */
export class Visit implements AsyncDisposable {
  /** Messages of console errors, uncaught exceptions and dialogs. */
  readonly errors: string[] = [];
  /** URLs on other origins that the page requested. */
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

  /**
   * Opens an empty page in a new browser context, without cookies.
   * @param address URL of the server that the page may talk to
   */
  static async start(browser: Browser, address: string, options: BrowserContextOptions = {}) {
    const context = await browser.newContext({ acceptDownloads: true, ...options });
    return new Visit(await context.newPage(), new URL(address).origin);
  }

  /** Returns the accessibility rules that axe-core finds violated, each with the HTML of the element. */
  async violations(): Promise<string[]> {
    // axe-core is loaded once per document, because loading takes as long as a run.
    const isThere = await this.page.evaluate<boolean>(`"axe" in globalThis`);
    if (!isThere) await this.page.evaluate(await axeScript.text());
    const { found, passed } = await this.page.evaluate(async () => {
      const { run } = (globalThis as unknown as { axe: typeof axe }).axe;
      // Passed rules are listed without their elements, which saves time.
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
