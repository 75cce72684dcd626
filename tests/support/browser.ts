import axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { DEADLINE } from "./wait.ts";

const CHROMIUM = ["chromium", "chromium-browser", "google-chrome"]
  .map((name) => Bun.which(name))
  .find((path) => path !== null);

/** Added to the names of tests that cannot run here: the way to get what they need. */
export const NO_BROWSER = CHROMIUM ? "" : " (needs Chromium: apt-get install chromium)";

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
  return chromium.launch({ executablePath: CHROMIUM ?? "", args: FLAGS });
}

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
    await this.page.evaluate(axe.source);
    const { violations, passes } = await this.page.evaluate(() =>
      (globalThis as unknown as { axe: typeof axe }).axe.run(),
    );
    if (passes.length < 10) throw new Error("axe found next to nothing to look at");
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
  }
}
